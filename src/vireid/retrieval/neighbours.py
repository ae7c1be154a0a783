"""Nearest neighbours within sets of images, exact and by blocks: never a matrix of all pairs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vireid.retrieval.distances import DISTANCES

# (rows, columns) -> (R, C) float32 array, not NaN and not negative: distances between the images at these positions.
DistanceBlock = Callable[[np.ndarray, np.ndarray | slice], np.ndarray]

_BLOCK_ITEMS = 1 << 20  # distances held at a time; about 40 MB with keys and copies
_POSITION = 0xFFFFFFFF  # the bits of a key that hold the position


@dataclass(frozen=True)
class Neighbours:
    """What one set of N images needs to know of all its pairs.

    Attributes:
        nearest: (N, K) int32 positions in the set, nearest first. Every image is its own first neighbour; then equal
            distances are ordered by position.
        furthest: (N,) float32, the distance to the furthest image of the set.
    """

    nearest: np.ndarray
    furthest: np.ndarray


def distances_of_vectors(vectors: Tensor, distance: str) -> DistanceBlock:
    """Compute distances between embeddings where they are asked for.

    Args:
        vectors: (M, D) float64.
        distance: A key of `distances.DISTANCES`.
    """

    def block(rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
        return DISTANCES[distance](vectors[rows], vectors[columns]).numpy()

    return block


def distances_of_matrix(distmat: np.ndarray) -> DistanceBlock:
    """Look distances up in a matrix of all pairs.

    Args:
        distmat: (M, M) float32; column i holds the distances of image i. Where it is not symmetric, columns count,
            as in the published program, which normalises columns and then transposes.

    Raises:
        ValueError: If the matrix is not square, not float32, or holds negative numbers, infinities or NaN.
    """
    if distmat.dtype != np.float32 or distmat.ndim != 2 or distmat.shape[0] != distmat.shape[1]:
        raise ValueError(f"distances of all pairs are (M, M) float32, not {distmat.shape} {distmat.dtype}")
    if not (distmat.min() >= 0 and distmat.max() < np.inf):
        raise ValueError("distances of all pairs are finite and not negative")

    def block(rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
        return distmat[:, rows].T if isinstance(columns, slice) else distmat[np.ix_(columns, rows)].T

    return block


def find_neighbours(
    block: DistanceBlock,
    sets: Sequence[np.ndarray],
    count: int,
    advance: Callable[[int], None],
) -> list[Neighbours]:
    """Find the nearest neighbours within several sets, which may share images: each pair is compared once.

    Args:
        block: Distances between the images at positions 0 to M - 1.
        sets: For each set (N,) ascending positions; together they hold every position.
        count: Neighbours to keep of each image, itself among them; a smaller set keeps all.
        advance: Called with the number of images done.

    Returns:
        One for each set, in positions of that set.
    """
    size = 1 + max(int(items[-1]) for items in sets)
    found = [
        Neighbours(np.empty((len(items), min(count, len(items))), np.int32), np.empty(len(items), np.float32))
        for items in sets
    ]
    places = [_inverse(items, size) for items in sets]
    for rows in _blocks(size, max(1, _BLOCK_ITEMS // size)):
        distances = block(rows, slice(None)) + np.float32(0)  # + 0 makes -0.0 equal to 0.0
        keys = _sorting_keys(distances, rows)
        for items, place, neighbours in zip(sets, places, found, strict=True):
            members = np.flatnonzero(place[rows] >= 0)
            own = place[rows[members]]
            if len(members):
                kept = _smallest(keys[np.ix_(members, items)], neighbours.nearest.shape[1])
                neighbours.nearest[own] = place[kept & _POSITION]
                neighbours.furthest[own] = distances[np.ix_(members, items)].max(axis=1)
        advance(len(rows))
    return found


def _sorting_keys(distances: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Make integers that sort like distances, then by position, with each image before all others of its row.

    Bits 63..32 order the distance (floats that are not negative sort like their bits), bits 31..0 are the position.
    """
    keys = distances.view(np.int32).astype(np.int64) << 32
    keys[np.arange(len(rows)), rows] = np.int64(-1) << 32
    return keys | np.arange(distances.shape[1])


def _smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Return the smallest keys of each row, ascending."""
    keys.partition(count - 1, axis=1)
    return np.sort(keys[:, :count], axis=1)


def _inverse(items: np.ndarray, size: int) -> np.ndarray:
    """Return the place of each position in `items`, -1 for those that are not there."""
    place = np.full(size, -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    return place


def _blocks(count: int, size: int) -> Iterator[np.ndarray]:
    return (np.arange(start, min(start + size, count)) for start in range(0, count, size))
