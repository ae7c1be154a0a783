"""Distances between embeddings: (Q, D) and (G, D) float64 to (Q, G) float32, smaller is closer.

They are computed in float64 and rounded to float32. Rounding errors of the product, which vary with the number of
threads and the processor, thereby vanish: equal images tie exactly, and rankings repeat from machine to machine.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.linalg import vector_norm

_SAME_POINT = 1e-12  # relative to the squared norms; above the rounding error of the expansion below


def euclidean(queries: Tensor, gallery: Tensor) -> Tensor:
    """Compute Euclidean distances (not squared).

    Points closer than a millionth of their norm are at distance 0.

    Args:
        queries: (Q, D) float64.
        gallery: (G, D) float64.

    Returns:
        (Q, G) float32.

    Example:
        >>> euclidean(torch.tensor([[0.0, 0.0]]).double(), torch.tensor([[3.0, 4.0]]).double())
        tensor([[5.]])
    """
    norms = vector_norm(queries, dim=1).square()[:, None] + vector_norm(gallery, dim=1).square()
    squared = torch.addmm(norms, queries, gallery.T, alpha=-2)
    return squared.masked_fill_(squared < _SAME_POINT * norms, 0).sqrt_().float()


def cosine(queries: Tensor, gallery: Tensor) -> Tensor:
    """Compute one minus the cosine of the angle between embeddings, in [0, 2].

    Directions closer than a millionth of a radian are at distance 0.

    Args:
        queries: (Q, D) float64.
        gallery: (G, D) float64.

    Returns:
        (Q, G) float32.

    Example:
        >>> cosine(torch.tensor([[1.0, 0.0]]).double(), torch.tensor([[0.0, 2.0], [-3.0, 0.0]]).double())
        tensor([[1., 2.]])
    """
    distmat = (unit_length(queries) @ unit_length(gallery).T).neg_().add_(1)
    return distmat.masked_fill_(distmat < _SAME_POINT, 0).float()


def unit_length(embeddings: Tensor) -> Tensor:
    """Scale each row to Euclidean length 1; a row of zeros stays as it is."""
    return torch.nn.functional.normalize(embeddings, dim=1)


DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"euclidean": euclidean, "cosine": cosine}
