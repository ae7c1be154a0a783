"""Hetero-centre triplet: strips of the last map, and triplets of the centres of identities in each spectrum.

Liu, Tan and Zhou, "Parameter sharing exploration and hetero-center triplet loss for visible-thermal person
re-identification" (IEEE Transactions on Multimedia 2020). Triplets of centres are far fewer than triplets of
images, and no outlier among the images decides one. Mutual prediction's fine-grained features are of this kind.

    paper                              here
    parts, p = 6                       `strips`
    L_hc_tri                           loss `centres`: each strip's, and that of all strips in a row
    L_id                               loss `identity`, the sum over the strips

Recipe: stem and first stage of each spectrum its own, last stride 1, six strips of 256, margin 0.3; the centres'
weight is 1 on SYSU-MM01 and 2 on RegDB; SGD 0.1 (trunk 0.1x) with warm-up, 8 identities x (4 + 4) images, 60
epochs.

Deviations:
- Strips are averaged; the public code pools them by powers.
- The centres' weight multiplies the triplets of all strips in a row as well; in the public code, only those of
  the single strips. On SYSU-MM01, where it is 1, there is no difference.
- The small schedules train a small trunk, four strips and mixed colour channels.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vireid.backbones.fine_grained import FineGrained
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.hetero_centre import hetero_centre_triplet_loss
from vireid.losses.identity import identity_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import Count, NonNegative, Section


class Architecture(Section):
    """Architecture."""

    trunk: SharedTrunkSettings
    strips: Count
    strip_width: Count


class Objective(Section):
    """Weight of the triplets of centres, and their margin; the identity loss has weight 1."""

    centres: NonNegative
    margin: NonNegative


@dataclass
class Outputs:
    """Of each strip, for B images and N identities: `strips` (B, S), `logits` (B, N)."""

    strips: list[Tensor]
    logits: list[Tensor]


class HeteroCentreTriplet(Method[Outputs]):
    """Two stems, a shared trunk, and strips."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.margin, self.lr_factor = loss.margin, model.trunk.lr_factor
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        self.fine_grained = FineGrained(self.backbone.channels[-1], model.strips, model.strip_width, num_pids)
        self.embedding_dims = {"strips": model.strips * model.strip_width}
        self.loss_weights = {"identity": 1.0, "centres": loss.centres}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        strips = self.fine_grained(self.backbone(batch.images, batch.visible)[-1])
        return Outputs(strips, self.fine_grained.classify(strips))

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        classified = [identity_loss(logits, batch.labels) for logits in outputs.logits]
        compared = [
            hetero_centre_triplet_loss(strips, batch.labels, batch.visible, self.margin, everyone)
            for strips in (torch.cat(outputs.strips, dim=1), *outputs.strips)
        ]
        return {"identity": torch.stack(classified).sum(), "centres": torch.stack(compared).sum()}

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Mean training accuracy of the strips' classifiers."""
        rates = [top1_rate(logits, batch.labels) for logits in outputs.logits]
        return {"accuracy": torch.stack(rates).mean()}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """All strips in a row; see `Embedder.embed`."""
        strips = self.fine_grained(self.backbone.maps_of(images, modality)[-1])
        return {"strips": torch.cat(strips, dim=1)}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)
