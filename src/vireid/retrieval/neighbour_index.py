"""Nearest neighbours within one large set of embeddings, by FAISS, and yet exact.

FAISS compares in float32 and orders equal distances as it likes. Here it only proposes candidates, a few more than
are asked for; their distances are then those of `distances.py`. Whether an image that was not proposed could still
belong among the neighbours is decided by the largest error that float32 can make. Where it could, the image is
compared with all others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import faiss
import numpy as np
import torch
from torch import Tensor
from torch.linalg import vector_norm

from vireid.retrieval.blocks import blocks
from vireid.retrieval.distance_blocks import DistanceBlocks, VectorDistances
from vireid.retrieval.distances import unit_length
from vireid.retrieval.neighbours import Neighbours, compare_with_all, positions, smallest, sorting_keys

_SPARE = 11  # candidates beyond the neighbours asked for
_FURTHEST = 4  # candidates for the furthest image
_SEARCHED = 1024  # images that FAISS is asked about at a time
_FLOAT32 = 2.0**-24  # relative error of one operation
_ROUNDING = 1e-6  # relative; above that of exact distances, rounded to float32 and squared
_SAME_POINT = 1e-11  # relative to squared norms; above what `distances.euclidean` takes for the same point


@dataclass(frozen=True)
class _Scores:
    """Distances as products: `offset - scale * (x . y - bias)` is what compares images x and y.

    That is the squared Euclidean distance with |x|^2 - 2 (x . y - |y|^2 / 2), and one minus the cosine with
    1 - x . y of unit vectors. A large product is near, a small one far.

    Attributes:
        points: (N, D) float64.
        bias: (N,) float64.
        offset: (N,) float64.
        scale: 1 or 2.
        exponent: Power to which a distance is compared.
    """

    points: Tensor
    bias: Tensor
    offset: Tensor
    scale: int
    exponent: int

    def error(self) -> Tensor:
        """Bound the error of each image's products in float32, (N,): D + 1 terms, and x and y themselves."""
        lengths = vector_norm(self.points, dim=1)
        return _FLOAT32 * (self.points.shape[1] + 8) * (lengths * lengths.max() + self.bias.max())


def _euclidean(vectors: Tensor) -> _Scores:
    points = vectors - vectors.mean(dim=0)  # distances stay, products and their errors shrink
    squares = vector_norm(points, dim=1).square()
    return _Scores(points, squares / 2, squares, scale=2, exponent=2)


def _cosine(vectors: Tensor) -> _Scores:
    nothing = torch.zeros(len(vectors), dtype=torch.float64)
    return _Scores(unit_length(vectors), nothing, nothing + 1, scale=1, exponent=1)


_SCORES: dict[str, Callable[[Tensor], _Scores]] = {"euclidean": _euclidean, "cosine": _cosine}


def find_neighbours_by_index(
    vectors: Tensor, distance: str, count: int, advance: Callable[[int], None]
) -> Neighbours:
    """Find the nearest neighbours within one set, exactly as `neighbours.find_neighbours` does.

    Args:
        vectors: (N, D) float64.
        distance: A key of `distances.DISTANCES`.
        count: Neighbours to keep of each image, itself among them; a smaller set keeps all.
        advance: Called with the number of images done.
    """
    size, scores = len(vectors), _SCORES[distance](vectors)
    block = VectorDistances(vectors, distance)
    near = np.empty((size, min(count + _SPARE, size)), np.int64)
    far = np.empty((size, min(_FURTHEST, size)), np.int64)
    nearer, further = _propose(scores, near, far, advance)
    nearest, last = _nearest(block, near, min(count, size))
    furthest = _distances(block, far).max(axis=1)
    same_point = _SAME_POINT * vector_norm(vectors, dim=1).max().item() ** 2
    limit, reach = (values.astype(np.float64) ** scores.exponent for values in (last, furthest))
    proven = (limit + same_point < nearer * (1 - _ROUNDING)) & (reach > further * (1 + _ROUNDING) + same_point)
    neighbours = Neighbours(nearest, furthest)
    compare_with_all(block, np.flatnonzero(~proven), neighbours)
    return neighbours


def _propose(
    scores: _Scores, near: np.ndarray, far: np.ndarray, advance: Callable[[int], None]
) -> tuple[np.ndarray, np.ndarray]:
    """Fill in candidates; return how far others are at least and at most, to the scores' power: (N,) each."""
    stored = torch.cat([scores.points, scores.bias[:, None]], dim=1).float().numpy()
    index = faiss.IndexFlatIP(stored.shape[1])
    index.add(stored)
    worst = np.empty((2, len(stored)))
    for rows in blocks(len(stored), _SEARCHED):
        asked = stored[rows]
        asked[:, -1] = -1
        for candidates, sign, least in ((near, 1, worst[0]), (far, -1, worst[1])):
            products, candidates[rows] = index.search(sign * asked, candidates.shape[1])
            least[rows] = products[:, -1]
        advance(len(rows))
    offset, error = scores.offset.numpy(), scores.error().numpy()
    nearer = offset - scores.scale * (worst[0] + error)
    further = offset + scores.scale * (worst[1] + error)
    if near.shape[1] == len(stored):  # nothing is beyond
        nearer[:] = np.inf
    if far.shape[1] == len(stored):
        further[:] = -np.inf
    return nearer, further


def _nearest(block: DistanceBlocks, candidates: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Choose the nearest candidates, behind the image itself: (N, count), and the largest distance, (N,)."""
    itself = np.arange(len(candidates))[:, None]
    keys = sorting_keys(_distances(block, candidates), candidates)
    keys[candidates == itself] = np.iinfo(np.int64).max  # it may or may not have been proposed
    kept = smallest(keys, count - 1)
    last = (kept[:, -1] >> 32).astype(np.int32).view(np.float32)
    return np.hstack([itself, positions(kept)]).astype(np.int32), last


def _distances(block: DistanceBlocks, candidates: np.ndarray) -> np.ndarray:
    starts = np.arange(0, candidates.size + 1, candidates.shape[1])
    return block.of_each(np.arange(len(candidates)), starts, candidates.ravel()).reshape(candidates.shape)
