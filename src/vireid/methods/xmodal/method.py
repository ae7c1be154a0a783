"""Xmodal: a third, learnt spectrum between visible and infrared.

Li et al., "Infrared-visible cross-modal person re-identification with an X modality" (AAAI 2020); a row in TFFN's
tables. A light generator turns each visible image into an X image, which keeps its content and lies nearer to
infrared. One network learns all three.

    paper                              here
    X generator                        `generator`
    cross-modality gap, CMG            loss `cross`: visible with infrared, and X with infrared
    modality-respective gap, MRG       loss `respective`: within each of the three
    identity loss                      loss `identity`, of the three together

Recipe: one trunk for all, last stride 1, BN neck. A visible image is ranked as it is: X images only teach.

Deviations: margin, weights, optimiser and schedule are the plain baseline's.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vireid.backbones.neck import Neck
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import TunedTrunkSettings, build_trunk
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import hard_triplet_loss, pairwise_euclidean
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import NonNegative, Section

VISIBLE, INFRARED, X = 0, 1, 2


class Architecture(Section):
    """Architecture."""

    trunk: TunedTrunkSettings


class Objective(Section):
    """Weights of the two kinds of triplets and their margin; the identity loss has weight 1."""

    cross: NonNegative
    respective: NonNegative
    margin: NonNegative


@dataclass
class Outputs:
    """For B images, R = B + visible rows, the X images last: `pooled` (R, C), `logits` (R, N)."""

    pooled: Tensor
    logits: Tensor


class Xmodal(Method[Outputs]):
    """One trunk and BN neck for three spectra, of which one is made."""

    Model, Loss = Architecture, Objective
    one_stream = True

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.margin, self.lr_factor = loss.margin, model.trunk.lr_factor
        self.backbone = build_trunk(model.trunk)
        self.generator = nn.Sequential(nn.Conv2d(3, 1, 1), nn.ReLU(), nn.Conv2d(1, 3, 1))
        width = self.backbone.channels[-1]
        self.neck = Neck(width, num_pids)
        self.embedding_dims = {"neck": width, "pooled": width}
        self.loss_weights = {"identity": 1.0, "cross": loss.cross, "respective": loss.respective}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        made = self.generator(batch.images[batch.rows(Modality.VISIBLE)])
        pooled = pool(self.backbone(torch.cat([batch.images, made]))[-1])
        return Outputs(pooled, self.neck(pooled))

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        labels, spectra = labels_and_spectra(batch)
        distances = pairwise_euclidean(outputs.pooled, everyone(outputs.pooled))
        same = labels[:, None] == everyone(labels)
        anchors, others = spectra[:, None], everyone(spectra)
        bridged = [
            ((anchors == kind) & (others == INFRARED)) | ((anchors == INFRARED) & (others == kind))
            for kind in (VISIBLE, X)
        ]
        alike = [(anchors == kind) & (others == kind) for kind in (VISIBLE, INFRARED, X)]

        def triplets(compared: list[Tensor]) -> Tensor:
            pairs = [(mask & same, mask & ~same) for mask in compared]
            return torch.stack(
                [hard_triplet_loss(distances, *pair, self.margin, everyone) for pair in pairs]
            ).sum()

        return {
            "identity": identity_loss(outputs.logits, labels),
            "cross": triplets(bridged),
            "respective": triplets(alike),
        }

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the classifier."""
        return {"accuracy": top1_rate(outputs.logits, labels_and_spectra(batch)[0])}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`; the spectrum makes no difference."""
        pooled = pool(self.backbone(images)[-1])
        return {"neck": self.neck.norm(pooled), "pooled": pooled}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.named_stages()

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)


def labels_and_spectra(batch: Batch) -> tuple[Tensor, Tensor]:
    """Label and spectrum of each row of `Outputs`, (R,) int64 each."""
    labels = torch.cat([batch.labels, batch.labels[batch.rows(Modality.VISIBLE)]])
    rows = torch.arange(len(labels), device=labels.device)
    return labels, (rows >= batch.visible).long() + (rows >= len(batch.labels))
