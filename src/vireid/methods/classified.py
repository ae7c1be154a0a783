"""What the oldest baselines share: a network that learns by classifying identities, on one trunk or on two."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vireid.backbones.eigenlayer import LinearNorm
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import SharedTrunkSettings, Trunk, TunedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import Probability, Section

NewLayer = Callable[[int, int], nn.Module]
"""Widths C and D to a layer (B, C) to (B, D)."""


class ClassifiedLoss(Section):
    """The one term, the softmax cross-entropy, has weight 1."""

    label_smoothing: Probability


@dataclass
class ClassifiedOutputs:
    """For B images and N identities: `embedding` (B, D) is what the classifier sees, `logits` (B, N)."""

    embedding: Tensor
    logits: Tensor


class Classified(Method[ClassifiedOutputs]):
    """A backbone, mean pooling, a layer above it, and a classifier; ranked is what the classifier sees.

    A subclass may add losses to the classifier's.

    Args:
        num_pids: Identities N.
        backbone: Has the pretrained weights.
        channels: Of its last map, C.
        lr_factor: The backbone's learning rate as a part of that of everything else.
        width: D; None ranks and classifies the pooled map itself, so that D is C.
        new_layer: What makes the layer, where there is one.
        label_smoothing: Of the softmax cross-entropy.
    """

    def __init__(
        self,
        num_pids: int,
        backbone: nn.Module,
        channels: int,
        lr_factor: float,
        width: int | None,
        new_layer: NewLayer,
        label_smoothing: float,
    ):
        super().__init__()
        self.backbone, self.lr_factor, self.label_smoothing = backbone, lr_factor, label_smoothing
        self.layer = new_layer(channels, width) if width else nn.Identity()
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


class OneTrunk(Classified):
    """One trunk for both spectra.

    Args:
        num_pids: Identities N.
        trunk: Its settings.
        width: As for `Classified`.
        new_layer: As for `Classified`.
        label_smoothing: As for `Classified`.
    """

    backbone: Trunk

    def __init__(
        self,
        num_pids: int,
        trunk: TunedTrunkSettings,
        width: int | None = None,
        new_layer: NewLayer = LinearNorm,
        label_smoothing: float = 0.0,
    ):
        backbone = build_trunk(trunk)
        channels = backbone.channels[-1]
        super().__init__(num_pids, backbone, channels, trunk.lr_factor, width, new_layer, label_smoothing)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        return self.backbone(batch.images)[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`; the spectrum makes no difference."""
        return self.backbone(images)[-1]

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.named_stages()


class TwoTrunks(Classified):
    """Two trunks that become one from a stage on.

    Args:
        num_pids: Identities N.
        trunk: Their settings.
        width: As for `Classified`.
        label_smoothing: As for `Classified`.
    """

    backbone: TwoStream

    def __init__(self, num_pids: int, trunk: SharedTrunkSettings, width: int | None, label_smoothing: float = 0.0):
        backbone = TwoStream(build_trunk(trunk), trunk.share_from)
        channels = backbone.channels[-1]
        super().__init__(num_pids, backbone, channels, trunk.lr_factor, width, LinearNorm, label_smoothing)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        return self.backbone(batch.images, batch.visible)[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`."""
        return self.backbone.maps_of(images, modality)[-1]

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)
