"""BDTR, bi-directional dual-constrained top-ranking, with BCTR and eBDTR.

Ye et al., "Visible thermal person re-identification via dual-constrained top-ranking" (IJCAI 2018) and
"Bi-directional center-constrained top-ranking for visible thermal person re-identification" (TIFS 2020). An image
is ranked among the images of the other spectrum, in both directions, and kept away from the other identities of
its own. eBDTR compares with the centres of identities instead of single images.

    paper                              here
    cross-modality top-ranking         loss `cross`
    intra-modality constraint          loss `intra`; its weight is 0 in BCTR
    centre constraint (eBDTR)          loss.centres
    L_id                               loss `identity`

Recipe: two trunks and one layer above them, embeddings of length one, margins 0.5 (cross) and 0.1 (intra), weights
1, 1 and 0.1.

Deviations:
- The paper's batch shows each identity by one pair. Of several images the farthest positive counts, as of several
  negatives the nearest does.
- The public code stands on AlexNet and eBDTR on ResNet-50; here the trunk is a parameter.
- Optimiser and schedule are the plain baseline's.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.backbones.eigenlayer import LinearNorm
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.hetero_centre import centres_of
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import pairwise_euclidean
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import Count, NonNegative, Section


class Architecture(Section):
    """Architecture; `width` is that of the layer that both spectra share."""

    trunk: SharedTrunkSettings
    width: Count


class Objective(Section):
    """Weights and margins; `centres` compares with identities' centres (eBDTR), `intra` 0 is BCTR."""

    identity: NonNegative
    cross: NonNegative
    intra: NonNegative
    cross_margin: NonNegative
    intra_margin: NonNegative
    centres: bool


@dataclass
class Outputs:
    """For B images and N identities: `embedding` (B, D), and `logits` (B, N) of it."""

    embedding: Tensor
    logits: Tensor


class Bdtr(Method[Outputs]):
    """Two trunks and a shared layer."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.loss, self.lr_factor = loss, model.trunk.lr_factor
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        self.layer = LinearNorm(self.backbone.channels[-1], model.width)
        self.classifier = nn.Linear(model.width, num_pids)
        nn.init.normal_(self.classifier.weight, std=0.001)
        self.embedding_dims = {"embedding": model.width}
        self.loss_weights = {"identity": loss.identity, "cross": loss.cross}
        if loss.intra:
            self.loss_weights["intra"] = loss.intra

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        embedding = self.layer(pool(self.backbone(batch.images, batch.visible)[-1]))
        return Outputs(embedding, self.classifier(embedding))

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        compared = TopRanking(normalize(outputs.embedding), batch, self.loss.centres, everyone)
        losses = {
            "identity": identity_loss(outputs.logits, batch.labels),
            "cross": compared.cross_loss(self.loss.cross_margin),
        }
        if "intra" in self.loss_weights:
            losses["intra"] = compared.intra_loss(self.loss.intra_margin)
        return losses

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the classifier."""
        return {"accuracy": top1_rate(outputs.logits, batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"embedding": self.layer(pool(self.backbone.maps_of(images, modality)[-1]))}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)


class TopRanking:
    """Distances of this process's embeddings from those of all, or from their identities' centres.

    Args:
        embeddings: (B, D) float, of length one.
        batch: Labels and spectra.
        centres: Whether each embedding stands for its identity's centre in its spectrum where others are compared
            with it.
        everyone: Gathers rows over all processes.
    """

    def __init__(self, embeddings: Tensor, batch: Batch, centres: bool, everyone: Gather):
        labels = batch.labels
        infrared = torch.arange(len(labels), device=labels.device) >= batch.visible
        targets, all_labels, all_infrared = everyone(embeddings), everyone(labels), everyone(infrared)
        if centres:
            targets = centres_of((all_labels, all_infrared), (targets, all_labels, all_infrared))
        self.distances = pairwise_euclidean(embeddings, targets)
        self.same = labels[:, None] == all_labels
        self.across = infrared[:, None] != all_infrared
        self.infrared = infrared

    def cross_loss(self, margin: float) -> Tensor:
        """Sum over both directions of the mean of [margin + d(a, positive) - d(a, nearest negative)]_+ across."""
        positives, negatives = self.across & self.same, self.across & ~self.same
        farthest = self.distances.masked_fill(~positives, 0).amax(dim=1)
        hinge = (margin + farthest - self._nearest(negatives)).relu()
        return self._of_both_directions(hinge, positives.any(dim=1) & negatives.any(dim=1))

    def intra_loss(self, margin: float) -> Tensor:
        """Sum over both spectra of the mean of [margin - d(a, nearest negative of its own spectrum)]_+."""
        negatives = ~self.across & ~self.same
        return self._of_both_directions((margin - self._nearest(negatives)).relu(), negatives.any(dim=1))

    def _nearest(self, chosen: Tensor) -> Tensor:
        return self.distances.masked_fill(~chosen, torch.inf).amin(dim=1)

    def _of_both_directions(self, hinge: Tensor, valid: Tensor) -> Tensor:
        """Mean over the valid anchors of each spectrum, added up; zero, attached to the graph, without any."""
        means = [
            (hinge * anchors).sum() / anchors.sum().clamp(min=1)
            for anchors in (valid & ~self.infrared, valid & self.infrared)
        ]
        return torch.stack(means).sum()
