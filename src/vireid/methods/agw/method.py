"""AGW: the plain baseline with non-local attention, generalised mean pooling and a weighted triplet loss.

Ye et al., "Deep learning for person re-identification: a survey and outlook" (TPAMI 2022); a row in the tables of
TFFN and of mutual prediction. A non-local block lets every place of a map see all others. The triplet loss weighs
all positives and negatives instead of taking the hardest.

    paper                              here
    non-local attention                NonLocal
    GeM, p = 3                         pool(..., "gem")
    L_wrt                              `weighted_triplet_loss`

Recipe: SGD 0.1 (trunk at 0.1x), 8 identities x (4 + 4) images, last stride 1, 80 epochs, from its public code; so
are the places of the blocks, behind the last two of stage 2 and the last three of stage 3, and the one inner
channel.

Deviations:
- In a trunk whose stages have fewer blocks, each of them is followed by attention.
- The small schedules train a small trunk with mixed colour channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from vireid.backbones.pooling import Pooling
from vireid.backbones.trunks import SharedTrunkSettings, Trunk, blocks_of, build_trunk
from vireid.losses.gather import Gather, mean_over_everyone
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import pairwise_euclidean
from vireid.methods.base import Batch
from vireid.methods.necked import Necked, NeckedOutputs
from vireid.params import Count, NonNegative, Section

ATTENDED = {1: 2, 2: 3}  # stage, from 0: how many of its last blocks are followed by attention


class Architecture(Section):
    """Architecture; the inner channels of the non-local blocks are 1 in the public code."""

    trunk: SharedTrunkSettings
    pooling: Pooling
    inner_channels: Count


class Objective(Section):
    """Weights of the two terms."""

    identity: NonNegative
    triplet: NonNegative


class Agw(Necked):
    """Two stems, one shared trunk with attention, BN neck; attention learns as slowly as the trunk."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        trunk = build_trunk(model.trunk)
        attend(trunk, model.inner_channels)
        super().__init__(num_pids, trunk, model.trunk, model.pooling)
        self.loss_weights = {"identity": loss.identity, "triplet": loss.triplet}

    def losses(self, outputs: NeckedOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {
            "identity": identity_loss(outputs.logits, batch.labels),
            "triplet": weighted_triplet_loss(outputs.pooled, batch.labels, everyone),
        }


class NonLocal(nn.Module):
    """Non-local attention (Wang et al., CVPR 2018): each place adds a mean over all places, weighted by likeness.

    (B, C, H, W) to the same shape; it starts as the identity, as its normalisation starts at zero.

    Args:
        channels: Of the map, C.
        inner_channels: In which likeness is measured, and which are averaged.
    """

    def __init__(self, channels: int, inner_channels: int):
        super().__init__()
        self.theta, self.phi, self.g = (nn.Conv2d(channels, inner_channels, 1) for _ in range(3))
        self.back, self.norm = nn.Conv2d(inner_channels, channels, 1), nn.BatchNorm2d(channels)
        nn.init.zeros_(self.norm.weight)

    def forward(self, feature_map: Tensor) -> Tensor:
        """See the class."""
        queries, keys, values = (layer(feature_map).flatten(2) for layer in (self.theta, self.phi, self.g))
        likeness = queries.transpose(1, 2) @ keys / keys.shape[2]  # (B, places, places)
        averaged = (values @ likeness.transpose(1, 2)).unflatten(2, feature_map.shape[2:])
        return feature_map + self.norm(self.back(averaged))


def attend(trunk: Trunk, inner_channels: int) -> None:
    """Put non-local attention behind the last blocks of a trunk's second and third stage, in place."""
    for number, count in ATTENDED.items():
        blocks = blocks_of(trunk.stages[number])
        widths = _widths(blocks, trunk.channels[number - 1])
        first = max(0, len(blocks) - count)
        followed = [
            nn.Sequential(block, NonLocal(width, inner_channels))
            for block, width in zip(blocks, widths, strict=True)
        ]
        trunk.stages[number] = nn.Sequential(*blocks[:first], *followed[first:])


@torch.no_grad()
def _widths(blocks: Sequence[nn.Module], inputs: int) -> list[int]:
    """Channels that each of some successive blocks puts out."""
    feature_map, widths = torch.zeros(1, inputs, 8, 8), []
    for block in blocks:
        training = block.training
        feature_map = block.eval()(feature_map)  # running statistics stay
        block.train(training)
        widths.append(feature_map.shape[1])
    return widths


def weighted_triplet_loss(embeddings: Tensor, labels: Tensor, everyone: Gather) -> Tensor:
    """Mean of log(1 + exp(sum of w+ d(a, positive) - sum of w- d(a, negative))) over the anchors, L_wrt.

    w+ is the softmax of the distances to an anchor's positives, w- that of the negated distances to its negatives.
    Anchors are this process's rows, and the anchor itself is one of its positives, as in the public code.
    Anchors without a negative are left out; without any the result is zero, attached to the graph.

    Args:
        embeddings: (B, D) float.
        labels: (B,) int64.
        everyone: Gathers rows over all processes.
    """
    distances = pairwise_euclidean(embeddings, everyone(embeddings))
    same = labels[:, None] == everyone(labels)[None, :]
    positive = distances * _softmax_over(same, distances)
    negative = distances * _softmax_over(~same, -distances)
    valid = ~same.all(dim=1)
    return mean_over_everyone(softplus(positive.sum(dim=1) - negative.sum(dim=1)), valid, everyone)


def _softmax_over(chosen: Tensor, values: Tensor) -> Tensor:
    """Softmax of (B, M) values over the chosen ones of each row, (B, M) bool; zero for the others."""
    lowest = torch.finfo(values.dtype).min  # a row without any has a softmax too
    return values.masked_fill(~chosen, lowest).softmax(dim=1) * chosen
