"""Triplet losses over the batch."""

import torch
from torch import Tensor

from vireid.losses.gather import Gather

# Below this a distance's square root would have an infinite gradient.
_SMALLEST_SQUARE = 1e-12


def pairwise_euclidean(first: Tensor, second: Tensor) -> Tensor:
    """(B, D), (M, D) to (B, M) Euclidean distances, not squared, with a finite gradient where rows are equal."""
    squares = (first * first).sum(dim=1)[:, None] + (second * second).sum(dim=1)[None, :]
    return (squares - 2 * first @ second.T).clamp(min=_SMALLEST_SQUARE).sqrt()


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
    distances = pairwise_euclidean(embeddings, everyone(embeddings))
    same = labels[:, None] == everyone(labels)[None, :]
    positive = distances.masked_fill(~same, 0).amax(dim=1)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    valid = ~same.all(dim=1)  # others are infinitely far from their hardest negative: their hinge is zero
    hinge = (margin + positive - negative).relu()
    return hinge.sum() / valid.sum().clamp(min=1)
