"""Distances between numbered images: computed where they are asked for, or looked up in a matrix of all pairs."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from vireid.retrieval.blocks import blocks, slices
from vireid.retrieval.distances import DISTANCES

_ROWS_COMPARED = 16  # images that are compared at a time with the few others of each
_ROWS_FILLED = 256  # rows of a matrix of all pairs that are computed at a time


class DistanceBlocks(Protocol):
    """Distances between the images at positions 0 to M - 1: float32, finite, not negative."""

    def __call__(self, rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:
        """Give the distances between all of some images and all of some others, (R, C)."""

    def of_each(self, rows: np.ndarray, starts: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Give the distances of each image to a few others of its own.

        Args:
            rows: (R,) int positions.
            starts: (R + 1,) int; image `rows[i]` is compared with `columns[starts[i] : starts[i + 1]]`.
            columns: (P,) int positions.

        Returns:
            (P,) float32, those of a block of all, but for the last bit.
        """


class VectorDistances:
    """Distances between embeddings, computed where they are asked for.

    Args:
        vectors: (M, D) float64.
        distance: A key of `distances.DISTANCES`.
    """

    def __init__(self, vectors: Tensor, distance: str):
        self._vectors, self._distance = vectors, DISTANCES[distance]

    def __call__(self, rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:  # noqa: D102 - the protocol's
        return self._distance(self._vectors[rows], self._vectors[columns]).numpy()

    def of_each(self, rows: np.ndarray, starts: np.ndarray, columns: np.ndarray) -> np.ndarray:  # noqa: D102
        distances = np.empty(len(columns), np.float32)
        for part in blocks(len(rows), _ROWS_COMPARED):
            bounds = starts[part[0] : part[-1] + 2]
            others, place = np.unique(columns[bounds[0] : bounds[-1]], return_inverse=True)
            row = np.repeat(np.arange(len(part)), np.diff(bounds))
            distances[bounds[0] : bounds[-1]] = self(rows[part], others)[row, place]
        return distances


class MatrixDistances:
    """Distances that are held.

    Args:
        distmat: (M, M) float32; column i holds the distances of image i. Where it is not symmetric, columns count,
            as in the published program of re-ranking, which normalises columns and then transposes.

    Raises:
        ValueError: If the matrix is not square, not float32, or holds negative numbers, infinities or NaN.
    """

    def __init__(self, distmat: np.ndarray):
        if distmat.dtype != np.float32 or distmat.ndim != 2 or distmat.shape[0] != distmat.shape[1]:
            raise ValueError(f"distances of all pairs are (M, M) float32, not {distmat.shape} {distmat.dtype}")
        if not (distmat.min() >= 0 and distmat.max() < np.inf):
            raise ValueError("distances of all pairs are finite and not negative")
        self._by_image = distmat.T

    def __call__(self, rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:  # noqa: D102
        chosen = (rows, columns) if isinstance(columns, slice) else np.ix_(rows, columns)
        return self._by_image[chosen]

    def of_each(self, rows: np.ndarray, starts: np.ndarray, columns: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._by_image[np.repeat(rows, np.diff(starts)), columns]


class DistancesWithin:
    """Distances between some of the images, which are numbered anew, from 0.

    Args:
        distances: Of all images.
        items: (N,) int, the positions of these images among all.
    """

    def __init__(self, distances: DistanceBlocks, items: np.ndarray):
        self._distances, self._items = distances, items

    def __call__(self, rows: np.ndarray, columns: np.ndarray | slice) -> np.ndarray:  # noqa: D102
        return self._distances(self._items[rows], self._items[columns])

    def of_each(self, rows: np.ndarray, starts: np.ndarray, columns: np.ndarray) -> np.ndarray:  # noqa: D102
        return self._distances.of_each(self._items[rows], starts, self._items[columns])


def all_pairs(vectors: Tensor, distance: str, advance: Callable[[int], None]) -> MatrixDistances:
    """Compute the distances of all pairs of embeddings, half of them by symmetry, and hold them.

    Args:
        vectors: (M, D) float64.
        distance: A key of `distances.DISTANCES`.
        advance: Called with the number of images done.

    Returns:
        They are those of `VectorDistances`, but for the last bit.

    Raises:
        ValueError: If a distance is not finite.
    """
    distmat = torch.empty(len(vectors), len(vectors))
    for rows in slices(len(vectors), _ROWS_FILLED):
        part = DISTANCES[distance](vectors[rows], vectors[rows.start :])
        distmat[rows, rows.start :] = part
        distmat[rows.stop :, rows] = part[:, rows.stop - rows.start :].T
        advance(rows.stop - rows.start)
    return MatrixDistances(distmat.numpy().T)
