"""Classical re-identification: features made by hand, and a metric that is fitted in closed form.

The upper half of HPILN's Table 2, from Wu et al. (ICCV 2017): HOG and LOMO with the Euclidean distance, CCA, LFDA,
CDFE and CRAFT.

Features are reduced by principal component analysis, fitted to both spectra, and mapped by the metric; ranked is
what comes out. Everything else is in the files beside this one.

Deviations:
- Widths are ours: neither the tables nor Wu et al. print them.
- Of the training images as many of each identity and spectrum are fitted to as `images_per_pid` says.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn.functional import interpolate

from vireid.data.augmentation import MEAN, STD
from vireid.data.records import Modality
from vireid.methods.base import Fitted
from vireid.methods.classical import hog, lomo
from vireid.methods.classical.metrics import METRICS
from vireid.params import Count, Section

FEATURES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int, int, int]] = {
    "hog": (hog.hog_features, hog.DIM, hog.HEIGHT, hog.WIDTH),
    "lomo": (lomo.lomo_features, lomo.DIM, lomo.HEIGHT, lomo.WIDTH),
}
BATCH = 64  # images that are described at a time


class Architecture(Section):
    """What describes an image, what compares, and the widths of both.

    Attributes:
        components: Of the principal component analysis.
        width: Of the embedding, at most.
        images_per_pid: Training images of each identity and spectrum that are fitted to, the first ones.
    """

    features: Literal["hog", "lomo"]
    metric: Literal["euclidean", "cca", "lfda", "cdfe", "craft"]
    components: Count
    width: Count
    images_per_pid: Count


class Objective(Section):
    """Nothing is trained."""


class Classical(Fitted):
    """Features, principal components, and a linear map of each spectrum."""

    Model, Loss = Architecture, Objective
    mean: Tensor
    components: Tensor
    centres: Tensor
    maps: Tensor

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.model = model
        self.describe, dim, *self.size = FEATURES[model.features]
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("components", torch.zeros(dim, model.components))
        self.register_buffer("centres", torch.zeros(len(Modality), model.components))
        self.register_buffer("maps", torch.zeros(len(Modality), model.components, model.width))
        self.embedding_dims = {"embedding": model.width}

    def fit(self, images: Mapping[Modality, np.ndarray], labels: Mapping[Modality, np.ndarray]) -> None:
        """See `Fitted.fit`; what few images cannot tell stays zero."""
        chosen = {modality: first_rows(labels[modality], self.model.images_per_pid) for modality in Modality}
        pixels = [
            torch.from_numpy(images[modality][chosen[modality]]).permute(0, 3, 1, 2) for modality in Modality
        ]
        described = [self._described(part.float() / 255) for part in pixels]
        rows = np.concatenate(described)
        count = min(self.model.components, *rows.shape)
        reduction = PCA(count, svd_solver="randomized" if count < min(rows.shape) else "full", random_state=0).fit(
            rows
        )
        reduced = [reduction.transform(part).astype(np.float64) for part in described]
        centres = [part.mean(axis=0) for part in reduced]
        centred = [part - centre for part, centre in zip(reduced, centres, strict=True)]
        maps = METRICS[self.model.metric](
            centred, [labels[modality][chosen[modality]] for modality in Modality], self.model.width
        )
        self.mean.copy_(torch.from_numpy(reduction.mean_))
        self.components[:, :count].copy_(torch.from_numpy(reduction.components_.T.copy()))
        self.centres[:, :count].copy_(torch.from_numpy(np.stack(centres)))
        self.maps[:, :count, : maps.shape[2]].copy_(torch.from_numpy(maps.copy()))

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        mean, std = (images.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
        features = torch.from_numpy(self._described(images * std + mean)).to(images.device)
        reduced = (features - self.mean) @ self.components - self.centres[modality]
        return {"embedding": reduced @ self.maps[modality]}

    def _described(self, images: Tensor) -> np.ndarray:
        """(N, 3, H, W) float in [0, 1] to features (N, dim) float32."""
        resized = interpolate(images, self.size, mode="bilinear", antialias=True).clamp(0, 1)
        pixels = (255 * resized).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return np.concatenate(
            [self.describe(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        )


def first_rows(labels: np.ndarray, count: int) -> np.ndarray:
    """Rows of the first images of each identity, in order.

    Args:
        labels: (N,) int.
        count: Of images of an identity, at most.

    Returns:
        (M,) int, ascending.
    """
    return np.sort(np.concatenate([np.flatnonzero(labels == label)[:count] for label in np.unique(labels)]))
