"""Triplet losses over the batch."""

import torch
from torch import Tensor

# Below this a distance's square root would have an infinite gradient.
_SMALLEST_SQUARE = 1e-12


def pairwise_euclidean(embeddings: Tensor) -> Tensor:
    """(B, D) to (B, B) Euclidean distances, not squared, with a finite gradient where rows are equal."""
    squares = (embeddings * embeddings).sum(dim=1)
    squared = squares[:, None] + squares[None, :] - 2 * embeddings @ embeddings.T
    return squared.clamp(min=_SMALLEST_SQUARE).sqrt()


def batch_hard_triplet_loss(embeddings: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Mean of [margin + d(a, hardest positive) - d(a, hardest negative)]_+ over the anchors (Hermans et al. 2017).

    Positives and negatives are taken over both modalities; the hardest positive may be the anchor itself, at
    distance zero. Anchors without a negative are left out; the result is then zero, attached to the graph.

    Args:
        embeddings: (B, D) float.
        labels: (B,) int64.
        margin: In units of the distance.
    """
    distances = pairwise_euclidean(embeddings)
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, 0).amax(dim=1)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    valid = ~same.all(dim=1)
    hinge = (margin + positive[valid] - negative[valid]).relu()
    return hinge.sum() / max(1, int(valid.sum()))
