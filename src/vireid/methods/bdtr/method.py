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

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vireid.backbones.trunks import SharedTrunkSettings
from vireid.losses.gather import Gather, mean_over_everyone
from vireid.losses.hetero_centre import centres_of
from vireid.losses.triplet import hardest_hinges, pairwise_euclidean
from vireid.methods.base import Batch
from vireid.methods.classified import ClassifiedOutputs, TwoTrunks
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


class Bdtr(TwoTrunks):
    """Two trunks and a shared layer."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__(num_pids, model.trunk, model.width)
        self.loss = loss
        self.loss_weights = {"identity": loss.identity, "cross": loss.cross}
        if loss.intra:
            self.loss_weights["intra"] = loss.intra

    def losses(self, outputs: ClassifiedOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        compared = TopRanking(normalize(outputs.embedding), batch, self.loss.centres, everyone)
        losses = super().losses(outputs, batch, everyone) | {"cross": compared.cross_loss(self.loss.cross_margin)}
        if "intra" in self.loss_weights:
            losses["intra"] = compared.intra_loss(self.loss.intra_margin)
        return losses


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
        self.infrared, self.everyone = infrared, everyone

    def cross_loss(self, margin: float) -> Tensor:
        """Sum over both directions of the mean of [margin + d(a, positive) - d(a, nearest negative)]_+ across."""
        positives, negatives = self.across & self.same, self.across & ~self.same
        return self._of_both_directions(*hardest_hinges(self.distances, positives, negatives, margin))

    def intra_loss(self, margin: float) -> Tensor:
        """Sum over both spectra of the mean of [margin - d(a, nearest negative of its own spectrum)]_+."""
        negatives = ~self.across & ~self.same
        nearest = self.distances.masked_fill(~negatives, torch.inf).amin(dim=1)
        return self._of_both_directions((margin - nearest).relu(), negatives.any(dim=1))

    def _of_both_directions(self, hinge: Tensor, valid: Tensor) -> Tensor:
        """Mean over the valid anchors of each spectrum, added up; zero, attached to the graph, without any."""
        directions = (valid & ~self.infrared, valid & self.infrared)
        return torch.stack([mean_over_everyone(hinge, anchors, self.everyone) for anchors in directions]).sum()
