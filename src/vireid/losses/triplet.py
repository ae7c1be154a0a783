"""Triplet losses over the batch."""

import torch
from torch import Tensor

from vireid.losses.gather import Gather, mean_over_everyone

# Below this a distance's square root would have an infinite gradient.
_SMALLEST_SQUARE = 1e-12


def pairwise_euclidean(first: Tensor, second: Tensor) -> Tensor:
    """(B, D), (M, D) to (B, M) Euclidean distances, not squared, with a finite gradient where rows are equal."""
    squares = (first * first).sum(dim=1)[:, None] + (second * second).sum(dim=1)[None, :]
    return (squares - 2 * first @ second.T).clamp(min=_SMALLEST_SQUARE).sqrt()


def hardest_hinges(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """[margin + d(a, farthest positive) - d(a, nearest negative)]_+ of every anchor a.

    Args:
        distances: (B, M) float, of B anchors.
        positives: (B, M) bool.
        negatives: (B, M) bool.
        margin: In units of the distance.

    Returns:
        The hinges (B,), zero for anchors without a positive or without a negative; and (B,) bool, which have both.
    """
    farthest = distances.masked_fill(~positives, 0).amax(dim=1)
    nearest = distances.masked_fill(~negatives, torch.inf).amin(dim=1)
    valid = positives.any(dim=1) & negatives.any(dim=1)
    return (margin + farthest - nearest).relu().masked_fill(~valid, 0), valid


def hard_triplet_loss(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float, everyone: Gather
) -> Tensor:
    """Mean of `hardest_hinges` over the anchors that have both; without any zero, attached to the graph."""
    return mean_over_everyone(*hardest_hinges(distances, positives, negatives, margin), everyone)


def batch_hard_triplet_loss(embeddings: Tensor, labels: Tensor, margin: float, everyone: Gather) -> Tensor:
    """Mean of [margin + d(a, hardest positive) - d(a, hardest negative)]_+ over the anchors (Hermans et al. 2017).

    Anchors are this process's rows; positives and negatives are taken over both modalities and all processes, and
    the hardest positive may be the anchor itself, at distance zero. Anchors without a negative are left out; the
    result is then zero, attached to the graph.

    Args:
        embeddings: (B, D) float.
        labels: (B,) int64.
        margin: In units of the distance.
        everyone: Gathers rows over all processes.
    """
    same = labels[:, None] == everyone(labels)[None, :]
    return hard_triplet_loss(pairwise_euclidean(embeddings, everyone(embeddings)), same, ~same, margin, everyone)
