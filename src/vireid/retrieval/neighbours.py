"""Nearest neighbours within sets of images, exact, block by block."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from vireid.retrieval.blocks import blocks
from vireid.retrieval.distance_blocks import DistanceBlocks
from vireid.retrieval.ranking import ordering_bits
from vireid.support.threads import each_alone

_BLOCK_ITEMS = 1 << 20  # distances that a thread holds; about 40 MB with keys and copies
_MARGIN = 2  # the nearest that are looked at, over those that a set needs if its images are spread evenly
_FURTHEST = 16  # the furthest image of a set is usually one of so many


@dataclass(frozen=True)
class Neighbours:
    """What one set of N images needs to know of all its pairs.

    Attributes:
        nearest: (N, K) int32 positions in the set, nearest first. Every image is its own first neighbour; then
            equal distances are ordered by position.
        furthest: (N,) float32, the distance to the furthest other image of the set; 0 in a set of one.
    """

    nearest: np.ndarray
    furthest: np.ndarray


def find_neighbours(
    block: DistanceBlocks,
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
    searches = [_Search(items, size, count) for items in sets]
    widest = max(-(-count * size // len(items)) for items in sets)
    near = min(size, count if widest == count else _MARGIN * widest)

    def search_around(rows: np.ndarray) -> None:
        extremes = _Extremes(rows, block(rows, slice(None)), near)
        for search in searches:
            search.take(extremes)
        advance(len(rows))

    each_alone(search_around, blocks(size, max(1, _BLOCK_ITEMS // size)))
    return [search.neighbours for search in searches]


class _Extremes:
    """Some images, with the nearest and the furthest of all images to each.

    Attributes:
        rows: (R,) positions.
        distances: (R, M) float32, to all images.
        keys: (R, M) int64, what they are sorted by: each image itself first.
        near: (R, W) positions of the nearest images, nearest first.
        far: (R, F) positions of the furthest images, furthest first.
    """

    def __init__(self, rows: np.ndarray, distances: np.ndarray, near: int):
        self.rows, self.distances, size = rows, distances, distances.shape[1]
        self.keys = _own_first_keys(distances, rows)
        far = min(_FURTHEST, size)
        ends = np.partition(self.keys, (near - 1, size - far), axis=1)
        self.near = positions(np.sort(ends[:, :near], axis=1))
        self.far = positions(np.sort(ends[:, size - far :], axis=1)[:, ::-1])


class _Search:
    """The search for neighbours within one set of images.

    Attributes:
        neighbours: Filled in by `take`, block by block.
    """

    def __init__(self, items: np.ndarray, size: int, count: int):
        self._items, self._place = items, _inverse(items, size)
        shape = len(items), min(count, len(items))
        self.neighbours = Neighbours(np.empty(shape, np.int32), np.empty(len(items), np.float32))

    def take(self, extremes: _Extremes) -> None:
        """Fill in the neighbours of those of some images that belong to the set.

        They are an image's nearest among all images, without those that do not belong to the set. Where too few of
        the nearest belong to it, the image is compared with the whole set.
        """
        members = np.flatnonzero(self._place[extremes.rows] >= 0)
        rows, count = self._place[extremes.rows[members]], self.neighbours.nearest.shape[1]
        near = self._place[extremes.near[members]]
        enough = (near >= 0).sum(axis=1) >= count
        near = near[enough]
        first = (near >= 0) & ((near >= 0).cumsum(axis=1) <= count)
        self.neighbours.nearest[rows[enough]] = near[first].reshape(-1, count)
        rest = np.ix_(members[~enough], self._items)
        self.neighbours.nearest[rows[~enough]] = self._place[positions(smallest(extremes.keys[rest], count))]

        far = self._place[extremes.far[members]] >= 0
        reached = far.any(axis=1)
        furthest = extremes.far[members[reached], far[reached].argmax(axis=1)]
        self.neighbours.furthest[rows[reached]] = extremes.distances[members[reached], furthest]
        rest = np.ix_(members[~reached], self._items)
        self.neighbours.furthest[rows[~reached]] = extremes.distances[rest].max(axis=1)


def compare_with_all(block: DistanceBlocks, rows: np.ndarray, neighbours: Neighbours) -> None:
    """Find the neighbours of some images of one set, and write them in their place."""
    for part in blocks(len(rows), max(1, _BLOCK_ITEMS // len(neighbours.nearest))):
        distances = block(rows[part], slice(None))
        keys = _own_first_keys(distances, rows[part])
        neighbours.nearest[rows[part]] = positions(smallest(keys, neighbours.nearest.shape[1]))
        neighbours.furthest[rows[part]] = distances.max(axis=1)


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


def _own_first_keys(distances: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Make the sorting keys of some images' distances to all, (R, M) int64, each image before all others."""
    keys = sorting_keys(distances, np.arange(distances.shape[1]))
    keys[np.arange(len(rows)), rows] = rows - (1 << 32)
    return keys


def _inverse(items: np.ndarray, size: int) -> np.ndarray:
    """Return the place of each position in `items`, -1 for those that are not there."""
    place = np.full(size, -1, np.int32)
    place[items] = np.arange(len(items), dtype=np.int32)
    return place
