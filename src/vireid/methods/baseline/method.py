"""The field's plain strong baseline: two stems, one shared trunk, BN neck, identity and batch-hard triplet loss.

Ye et al., "Deep learning for person re-identification: a survey and outlook" (TPAMI 2022), their baseline
without non-local blocks, with the BN neck of Luo et al. (CVPRW 2019) and the triplet loss of Hermans et al.
(2017). It is the yardstick for the data set and for every other method.

Recipe (AGW's): SGD 0.1 (trunk at 0.1x), 8 identities x (4 + 4) images, last stride 1, margin 0.3, 80 epochs.

Deviations: pooling and label smoothing are parameters.
"""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vireid.backbones.neck import Neck
from vireid.backbones.pooling import Pooling, pool
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import NonNegative, Probability, Section


class Architecture(Section):
    """Architecture."""

    trunk: SharedTrunkSettings
    pooling: Pooling


class Objective(Section):
    """Weights of the two terms, the triplet margin and the label smoothing."""

    identity: NonNegative
    triplet: NonNegative
    margin: NonNegative
    label_smoothing: Probability


@dataclass
class Outputs:
    """`pooled` (B, C5) is what the triplet loss sees, `logits` (B, N) come after the BN neck."""

    pooled: Tensor
    logits: Tensor


class Baseline(Method[Outputs]):
    """Two stems, one shared trunk, BN neck."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        self.pooling, self.lr_factor = model.pooling, model.trunk.lr_factor
        width = self.backbone.channels[-1]
        self.neck = Neck(width, num_pids)
        self.margin, self.label_smoothing = loss.margin, loss.label_smoothing
        self.embedding_dims = {"neck": width, "pooled": width}
        self.loss_weights = {"identity": loss.identity, "triplet": loss.triplet}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        pooled = pool(self.backbone(batch.images, batch.visible)[-1], self.pooling)
        return Outputs(pooled, self.neck(pooled))

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {
            "identity": identity_loss(outputs.logits, batch.labels, self.label_smoothing),
            "triplet": batch_hard_triplet_loss(outputs.pooled, batch.labels, self.margin, everyone),
        }

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the classifier."""
        return {"accuracy": top1_rate(outputs.logits, batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        pooled = pool(self.backbone.maps_of(images, modality)[-1], self.pooling)
        return {"neck": self.neck.norm(pooled), "pooled": pooled}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)
