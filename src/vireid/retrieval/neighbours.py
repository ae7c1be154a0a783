"""Nearest neighbours within sets of images, exact and by blocks: never a matrix of all pairs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vireid.retrieval.blocks import blocks
from vireid.retrieval.distances import DISTANCES
from vireid.retrieval.ranking import ordering_bits

# (rows, columns) -> (R, C) float32, finite and not negative: distances between the images at these positions.
DistanceBlock = Callable[[np.ndarray, np.ndarray | slice], np.ndarray]

_BLOCK_ITEMS = 1 << 20  # distances held at a time; about 40 MB with keys and copies
_ROWS_COMPARED = 16  # images that are compared at a time with the few others of each


@dataclass(frozen=True)
class Neighbours:
    """What one set of N images needs to know of all its pairs.

    Attributes:
        nearest: (N, K) int32 positions in the set, nearest first. Every image is its own first neighbour; then
            equal distances are ordered by position.
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


def distances_at(block: DistanceBlock, starts: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Compute the distances of each image to a few others.

    Args:
        block: Distances between the images.
        starts: (N + 1,) int; image i is compared with `columns[starts[i] : starts[i + 1]]`.
        columns: (P,) int positions.

    Returns:
        (P,) float32, the same as in a block of all.
    """
    distances = np.empty(len(columns), np.float32)
    for rows in blocks(len(starts) - 1, _ROWS_COMPARED):
        bounds = starts[rows[0] : rows[-1] + 2]
        others, place = np.unique(columns[bounds[0] : bounds[-1]], return_inverse=True)
        row = np.repeat(np.arange(len(rows)), np.diff(bounds))
        distances[bounds[0] : bounds[-1]] = block(rows, others)[row, place]
    return distances


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
    neighbours_of_sets = [
        Neighbours(np.empty((len(items), min(count, len(items))), np.int32), np.empty(len(items), np.float32))
        for items in sets
    ]
    places = [_inverse(items, size) for items in sets]
    for rows in blocks(size, max(1, _BLOCK_ITEMS // size)):
        distances = block(rows, slice(None))
        keys = _own_first(sorting_keys(distances, np.arange(size)), rows)
        for items, place, neighbours in zip(sets, places, neighbours_of_sets, strict=True):
            members = np.flatnonzero(place[rows] >= 0)
            if len(members):
                rows_of_set = place[rows[members]]
                kept = smallest(_part(keys, members, items), neighbours.nearest.shape[1])
                neighbours.nearest[rows_of_set] = place[positions(kept)]
                neighbours.furthest[rows_of_set] = _part(distances, members, items).max(axis=1)
        advance(len(rows))
    return neighbours_of_sets


def compare_with_all(block: DistanceBlock, rows: np.ndarray, neighbours: Neighbours) -> None:
    """Find the neighbours of some images of one set, and write them in their place."""
    everything = np.arange(len(neighbours.nearest))
    for part in blocks(len(rows), max(1, _BLOCK_ITEMS // len(everything))):
        distances = block(rows[part], slice(None))
        keys = _own_first(sorting_keys(distances, everything), rows[part])
        neighbours.nearest[rows[part]] = positions(smallest(keys, neighbours.nearest.shape[1]))
        neighbours.furthest[rows[part]] = distances.max(axis=1)


def _part(values: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Take some rows and columns, without a copy where that is all of them (they are ascending)."""
    return values if values.shape == (len(rows), len(columns)) else values[np.ix_(rows, columns)]


def sorting_keys(distances: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Make integers that sort like distances, equal distances by position.

    Bits 63..32 order the distance, bits 31..0 are positions.

    Args:
        distances: (B, C) float32, not negative.
        columns: (C,) or (B, C) int, their positions.

    Returns:
        (B, C) int64.
    """
    return ordering_bits(torch.from_numpy(distances)).numpy() | columns


def positions(keys: np.ndarray) -> np.ndarray:
    """Return the positions that keys hold."""
    return keys & 0xFFFFFFFF


def smallest(keys: np.ndarray, count: int) -> np.ndarray:
    """Return the smallest keys of each row, ascending."""
    return np.sort(np.partition(keys, count - 1, axis=1)[:, :count], axis=1)


def _own_first(keys: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Put each image before all others of its row."""
    keys[np.arange(len(rows)), rows] = rows - (1 << 32)
    return keys


def _inverse(items: np.ndarray, size: int) -> np.ndarray:
    """Return the place of each position in `items`, -1 for those that are not there."""
    place = np.full(size, -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    return place
