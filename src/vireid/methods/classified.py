"""What the oldest baselines share: a network that learns by classifying identities and by nothing else."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vireid.backbones.pooling import pool
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import Probability, Section


class ClassifiedLoss(Section):
    """The one term of `Classified`, the softmax cross-entropy, has weight 1."""

    label_smoothing: Probability


@dataclass
class ClassifiedOutputs:
    """For B images and N identities: `embedding` (B, D) is what the classifier sees, `logits` (B, N)."""

    embedding: Tensor
    logits: Tensor


class Classified(Method[ClassifiedOutputs]):
    """A backbone, mean pooling, a layer above it, and a classifier; ranked is what the classifier sees.

    A subclass says what its backbone makes of images.

    Args:
        num_pids: Identities N.
        backbone: Has the pretrained weights.
        channels: Of its last map, C.
        lr_factor: The backbone's learning rate as a part of that of everything else.
        loss: The method's section `loss`.
        layer: (B, C) to the embedding (B, D); the pooled map itself by default.
        width: D, where there is a layer.
    """

    Loss = ClassifiedLoss

    def __init__(
        self,
        num_pids: int,
        backbone: nn.Module,
        channels: int,
        lr_factor: float,
        loss: ClassifiedLoss,
        layer: nn.Module | None = None,
        width: int | None = None,
    ):
        super().__init__()
        self.backbone, self.lr_factor, self.label_smoothing = backbone, lr_factor, loss.label_smoothing
        self.layer = layer or nn.Identity()
        width = width or channels
        self.classifier = nn.Linear(width, num_pids)
        nn.init.normal_(self.classifier.weight, std=0.001)
        nn.init.zeros_(self.classifier.bias)
        self.embedding_dims, self.loss_weights = {"embedding": width}, {"identity": 1.0}

    @abstractmethod
    def batch_map(self, batch: Batch) -> Tensor:
        """Images of a batch, in which either spectrum may lack, to the backbone's last map (B, C, h, w)."""

    @abstractmethod
    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """Images of one spectrum, (B, 3, H, W), to the backbone's last map (B, C, h, w)."""

    def outputs(self, batch: Batch) -> ClassifiedOutputs:
        """See `Method.outputs`."""
        embedding = self.layer(pool(self.batch_map(batch)))
        return ClassifiedOutputs(embedding, self.classifier(embedding))

    def losses(self, outputs: ClassifiedOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {"identity": identity_loss(outputs.logits, batch.labels, self.label_smoothing)}

    def measures(self, outputs: ClassifiedOutputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the classifier."""
        return {"accuracy": top1_rate(outputs.logits, batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"embedding": self.layer(pool(self.feature_map(images, modality)))}

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)
