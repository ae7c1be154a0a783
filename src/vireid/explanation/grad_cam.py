"""Grad-CAM of a similarity: which places of a picture speak for its match with another one.

Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization" (ICCV 2017):
the score s that is explained weights each channel A(k) of a layer by the mean of its gradient over the places, and
what is shown is the positive part of their sum,

    w(k) = mean over x, y of ds / dA(k, x, y)        map(x, y) = relu(sum over k of w(k) A(k, x, y)).

Theirs is the score of a class, which a re-identification model does not have at test time. Here s is what ranks
galleries: the cosine similarity of the picture's embedding f with that of another picture, r,

    s = f . r / (|f| |r|)        with both lengths held as they are,

so that the map says how much each place adds to the similarity, as in Stylianou et al., "Visualizing deep
similarity networks" (WACV 2019). Were |f| not held, s would not change when the whole map grows: behind a linear
head each map would then sum to zero before the relu, however alike the pictures are, and the map of a picture with
itself would vanish.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from vireid.compute import choose_device
from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import ImagesInfo
from vireid.explanation.layers import find_layer
from vireid.explanation.subjects import Pair, Subject
from vireid.methods.base import Embedder
from vireid.params import DeviceSettings
from vireid.search.embedder import choose_embedding, require_finite
from vireid.support.errors import UserError
from vireid.training.model_folder import load_model, read_description, rebuild_model

Score = Callable[[Tensor], Tensor]
"""Images (B, 3, H, W), normalised, to what is explained of each, (B,)."""


@dataclass(frozen=True)
class Explanation:
    """What in a picture speaks for its match.

    Attributes:
        subject: The picture.
        similarity: Cosine of its embedding and that of the picture it is compared with; 1 with itself.
        alone: Whether it is compared with itself.
        maps: Of each layer (h, w) float32, at least 0, as small as the layer's own.
    """

    subject: Subject
    similarity: float
    alone: bool
    maps: Sequence[np.ndarray]


class Explainer:
    """A trained model that explains its similarities, in fp32.

    Args:
        folder: The model, written by `train`.
        embedding: One that the method offers, or `default` for the one that its paper ranks.
        compute: Device and threads.
        images: Root attributes of the images file that pictures will come from; None if they are files.

    Attributes:
        method: The model, in eval mode.
        name: Its method's name.
        embedding: Name of the embedding.
        size: (height, width) in pixels that the model sees.
        scaling: How 16-bit pictures are read, as the data set's were.
        seen: Identities that it was trained on or chosen by.

    Raises:
        UserError: If the model cannot be read, is not for these images, or has no such embedding.
    """

    def __init__(self, folder: Path, embedding: str, compute: DeviceSettings, images: ImagesInfo | None):
        description, _ = read_description(folder)
        if images is None:
            method = rebuild_model(folder, description)
        else:
            method, *_ = load_model(folder, description.method, images)
        self.embedding = choose_embedding(folder, method.embedding_dims, embedding)
        self.name = description.method
        self.size = (description.images["height"], description.images["width"])
        self.scaling = Scaling.parse(ImagesInfo(**description.images).sixteen_bit, folder)
        self.seen = frozenset(description.train_pids + description.holdout_pids)
        fabric = choose_device(compute).fabric()
        self._device = fabric.device
        self.method: Embedder = method.to(fabric.device).eval()

    def explain(self, pair: Pair, layers: Sequence[str], with_itself: bool) -> dict[Modality, Explanation]:
        """Explain the similarity of the two pictures of a pair, in each of them.

        Args:
            pair: Two pictures, or one, which is compared with itself.
            layers: Names of layers.
            with_itself: Whether to compare both pictures with themselves.

        Raises:
            UserError: If there is no such layer, it has no map, or an embedding is not finite.
        """
        pixels = {modality: self._pixels(subject) for modality, subject in pair.items()}
        with torch.no_grad():
            vectors = {modality: self._embed(values, modality)[0] for modality, values in pixels.items()}
        require_finite(torch.stack(list(vectors.values())).cpu().numpy())
        alone = with_itself or len(pair) == 1
        explained = {}
        for modality, subject in pair.items():
            reference = modality if alone else next(other for other in pair if other is not modality)
            score = self._score(modality, vectors[reference])
            modules = [(name, find_layer(self.method, name, modality)) for name in layers]
            maps = [self._map(*named, score, pixels[modality], modality) for named in modules]
            similarity = cosine_similarity(vectors[modality], vectors[reference], dim=0).item()
            explained[modality] = Explanation(subject, similarity, alone, maps)
        return explained

    def _pixels(self, subject: Subject) -> Tensor:
        copy = np.stack([subject.image])  # a decoded picture is not writable, which torch warns of
        return normalise(torch.from_numpy(copy).to(self._device))

    def _embed(self, pixels: Tensor, modality: Modality) -> Tensor:
        return self.method.embed(pixels, modality)[self.embedding].float()

    def _score(self, modality: Modality, reference: Tensor) -> Score:
        """Build the score that is explained: the cosine similarity with `reference` (D,), lengths held."""
        smallest = torch.finfo(torch.float32).eps  # of a dead trunk: its maps are zero, where 0 / tiny is NaN

        def score(pixels: Tensor) -> Tensor:
            vectors = self._embed(pixels, modality)
            lengths = vectors.detach().norm(dim=1) * reference.norm()
            return vectors @ reference / lengths.clamp(min=smallest)

        return score

    def _map(self, name: str, layer: nn.Module, score: Score, pixels: Tensor, modality: Modality) -> np.ndarray:
        """Compute one map (h, w)."""
        _require_map(name, layer, score, pixels, modality)
        return grad_cam(layer, score, pixels)[0]


def grad_cam(layer: nn.Module, score: Score, pixels: Tensor) -> np.ndarray:
    """Compute Grad-CAM of one layer.

    Args:
        layer: A module that `score` calls once, maybe without need; its output is (B, C, h, w).
        score: What to explain.
        pixels: (B, 3, H, W), normalised.

    Returns:
        (B, h, w) float32, at least 0; zero where `score` does not depend on the layer.
    """
    gradient = {"allow_unused": True, "materialize_grads": True}
    maps = LayerGradCam(score, layer).attribute(pixels, relu_attributions=True, grad_kwargs=gradient)
    return maps.detach()[:, 0].cpu().numpy()


def enlarged(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Enlarge a map (h, w) bilinearly to a picture's (height, width)."""
    return LayerAttribution.interpolate(torch.from_numpy(heat)[None, None], size, "bilinear")[0, 0].numpy()


def _require_map(name: str, layer: nn.Module, score: Score, pixels: Tensor, modality: Modality) -> None:
    """Check that a layer has one feature map."""
    outputs = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: outputs.append(output))
    try:
        with torch.no_grad():
            score(pixels)
    finally:
        hook.remove()
    problem = None
    if len(outputs) != 1:
        problem = f"it is used {len(outputs)} times"
    elif not isinstance(outputs[0], Tensor) or outputs[0].ndim != 4:
        kind = tuple(outputs[0].shape) if isinstance(outputs[0], Tensor) else type(outputs[0]).__name__
        problem = f"its output is {kind}"
    if problem is not None:
        raise UserError(
            f"--layer {name}",
            f"nothing to explain there in {modality.group} pictures",
            expected="a layer that is used once and gives a feature map (B, C, h, w)",
            found=problem,
            remedy="choose another layer; without --layer the trunk's stages are taken",
        )
