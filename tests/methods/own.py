"""Methods as a newcomer writes them: one that is trained by steps, and one that is fitted in closed form."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy

from vireid.data.records import Modality
from vireid.losses.gather import Gather
from vireid.methods.base import Batch, Fitted, Method
from vireid.params import Section


class Model(Section):
    """Architecture."""

    width: int


class Loss(Section):
    """Weight of the one term."""

    identity: float


class Own(Method[Tensor]):
    """Two convolutions and a classifier."""

    Model, Loss = Model, Loss

    def __init__(self, num_pids: int, model: Model, loss: Loss):
        super().__init__()
        width = model.width
        self.maps = nn.Sequential(nn.Conv2d(3, width, 7, 4), nn.ReLU(), nn.Conv2d(width, width, 3, 2), nn.ReLU())
        self.classifier = nn.Linear(width, num_pids)
        self.embedding_dims, self.loss_weights = {"pooled": width}, {"identity": loss.identity}

    def outputs(self, batch: Batch) -> Tensor:
        """(B, width) embeddings."""
        return self.maps(batch.images).mean((2, 3))

    def losses(self, outputs: Tensor, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {"identity": cross_entropy(self.classifier(outputs), batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"pooled": self.maps(images).mean((2, 3))}


class NoLoss(Section):
    """Nothing."""


class Centred(Fitted):
    """A few grey values, less their mean over the training images of the same spectrum."""

    Model, Loss = Model, NoLoss

    def __init__(self, num_pids: int, model: Model, loss: NoLoss):
        super().__init__()
        self.side = model.width
        self.register_buffer("means", torch.zeros(len(Modality), self.side**2))
        self.embedding_dims = {"grey": self.side**2}

    def fit(self, images: dict[Modality, np.ndarray], labels: dict[Modality, np.ndarray]) -> None:
        """See `Fitted.fit`."""
        for modality, pixels in images.items():
            assert len(pixels) == len(labels[modality])
            values = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            self.means[modality] = self._reduced((values - 0.45) / 0.225).mean(0)

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"grey": self._reduced(images) - self.means[modality]}

    def _reduced(self, images: Tensor) -> Tensor:
        return adaptive_avg_pool2d(images.mean(1, keepdim=True), self.side).flatten(1)
