"""K-reciprocal re-ranking: two images are close if the images around them are the same.

Z. Zhong, L. Zheng, D. Cao and S. Li, "Re-ranking Person Re-identification with k-reciprocal Encoding", CVPR 2017.
The N images are the queries and one gallery. It needs no matrix of all pairs: memory grows with the neighbours.

    paper       here
    d(i, j)     distance to the power `exponent`, divided by that to the furthest image from i (so not symmetric)
    N(i, k)     the first k + 1 `nearest` of i: i itself, then its k nearest
    R(i, k)     `reciprocal_neighbours`: j in N(i, k) with i in N(j, k)
    R*(i, k1)   `expanded_neighbours`: R(i, k1) and, for each j in it, R(j, k1 / 2) if more than two thirds of that
                lie in R(i, k1)
    V(i)        `encode`: exp(-d(i, j)) for j in R*(i, k1), scaled to sum 1; then the mean over the k2 `nearest`
    d_J         `jaccard_distances`: 1 - m / (2 - m), m the sum of the smaller entries of V(q) and V(g)
    d*          (1 - lambda) d_J + lambda d

Half of k1 is rounded, a half to the even number, as in the authors' program. Ours: equal distances are ordered by
position, and every image is its own first neighbour (in a plain sort a duplicate could stand before it). V is kept
in float64.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.sparse import csc_array, csr_array

from vireid.params import Reranking
from vireid.retrieval.blocks import blocks
from vireid.retrieval.distance_blocks import DistanceBlocks, MatrixDistances
from vireid.retrieval.neighbours import Neighbours, find_neighbours

# Squared Euclidean distances enter. One minus the cosine is half of that between unit vectors; the half is divided
# away.
EXPONENTS = {"euclidean": 2, "cosine": 1}

_DISTANCES = 1 << 20  # final distances computed at a time; about 40 MB in float64 with what they are made of
_TERMS = 1 << 18  # terms of the sums m held at a time; about 10 MB


def neighbours_needed(settings: Reranking) -> int:
    """Return how many neighbours are needed of each image, itself among them."""
    return max(settings.k1 + 1, settings.k2)


class Reranker:
    """Queries and a gallery, ready for the distances between them to be replaced.

    Args:
        block: Distances between the N images: first the Q queries, then the G images of the gallery.
        neighbours: Their neighbours, at least `neighbours_needed` of each where there are so many.
        num_queries: Q.
        exponent: Power of the distances that enters, a value of `EXPONENTS`.
        settings: The parameters.
    """

    def __init__(
        self,
        block: DistanceBlocks,
        neighbours: Neighbours,
        num_queries: int,
        exponent: int,
        settings: Reranking,
    ):
        encodings = encode(block, neighbours, exponent, settings)
        self._queries, self._gallery = encodings[:num_queries], encodings[num_queries:]
        self._block, self._furthest = block, neighbours.furthest[:num_queries]
        self._exponent, self._lambda = exponent, settings.lambda_value

    def distances(self, queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
        """Compute the final distances of some queries to some images of the gallery.

        Args:
            queries: (B,) positions among the queries.
            gallery: (C,) positions in the gallery.

        Returns:
            (B, C) float32, smaller is closer.
        """
        original = self._block(queries, self._queries.shape[0] + gallery)
        scaled = _scaled(original, self._furthest[queries][:, None], self._exponent)
        jaccard = jaccard_distances(self._queries[queries], csc_array(self._gallery[gallery]))
        return ((1 - self._lambda) * jaccard + self._lambda * scaled).astype(np.float32)

    def all_distances(self) -> np.ndarray:
        """Compute the final distances of all queries to the whole gallery, (Q, G) float32."""
        final = np.empty((self._queries.shape[0], self._gallery.shape[0]), np.float32)
        for queries in blocks(len(final), max(1, _DISTANCES // final.shape[1])):
            final[queries] = self.distances(queries, np.arange(final.shape[1]))
        return final


def rerank_matrix(distmat: np.ndarray, num_queries: int, exponent: int, settings: Reranking) -> np.ndarray:
    """Re-rank, given the distances of all pairs.

    Args:
        distmat: (N, N) float32, first the queries, then the gallery; see `distance_blocks.MatrixDistances`.
        num_queries: Q, from 1 to N - 1.
        exponent: Power of these distances that enters: 2 for Euclidean ones, 1 for squared ones.
        settings: The parameters.

    Returns:
        (Q, N - Q) float32, smaller is closer.

    Raises:
        ValueError: If the matrix is none of distances, or leaves no query or no gallery.
    """
    block = MatrixDistances(distmat)
    if not 0 < num_queries < len(distmat):
        raise ValueError(f"of {len(distmat)} images, 1 to {len(distmat) - 1} are queries, not {num_queries}")
    everything = np.arange(len(distmat))
    (neighbours,) = find_neighbours(block, [everything], neighbours_needed(settings), lambda images: None)
    return Reranker(block, neighbours, num_queries, exponent, settings).all_distances()


def reciprocal_neighbours(nearest: np.ndarray, k: int) -> csr_array:
    """Find the images that are among each other's k nearest.

    Args:
        nearest: (N, K) int positions, each image its own first.
        k: Neighbours beside the image itself; all there are where they are fewer.

    Returns:
        (N, N) int32, 1 where they are; symmetric, with every image its own neighbour.
    """
    forward = _rows_of(nearest[:, : k + 1], np.int32(1))
    return csr_array(forward.multiply(forward.T))


def expanded_neighbours(nearest: np.ndarray, k1: int) -> csr_array:
    """Add the neighbourhoods of reciprocal neighbours that lie mostly inside an image's own.

    Args:
        nearest: (N, K) int positions, each image its own first.
        k1: Neighbours beside the image itself; their own are sought among half as many.

    Returns:
        (N, N), non-zero where j is in R*(i, k1); columns sorted.
    """
    near = reciprocal_neighbours(nearest, k1)
    nearer = reciprocal_neighbours(nearest, round(k1 / 2))  # Python and NumPy round a half to the even number
    # How many images R(i, k1) and R(j, k1 / 2) share, for each j in R(i, k1); both matrices are symmetric.
    shared = csr_array((near @ nearer).multiply(near))
    size = np.diff(nearer.indptr)
    shared.data = (3 * shared.data > 2 * size[shared.indices]).astype(np.int32)
    expanded = near + shared @ nearer
    expanded.eliminate_zeros()
    expanded.sort_indices()
    return expanded


def encode(block: DistanceBlocks, neighbours: Neighbours, exponent: int, settings: Reranking) -> csr_array:
    """Describe every image by how close its reciprocal neighbours are, averaged over its nearest.

    Returns:
        (N, N) float64 in [0, 1], the V of the definition; rows sum to 1.
    """
    expanded = expanded_neighbours(neighbours.nearest, settings.k1)
    everyone = np.arange(expanded.shape[0])
    owner = np.repeat(everyone, np.diff(expanded.indptr))
    distances = block.of_each(everyone, expanded.indptr, expanded.indices)
    scaled = _scaled(distances, neighbours.furthest[owner], exponent)
    weights = np.exp(-scaled)
    weights /= np.bincount(owner, weights)[owner]
    encodings = csr_array((weights, expanded.indices, expanded.indptr), expanded.shape)
    if settings.k2 == 1:
        return encodings
    closest = neighbours.nearest[:, : settings.k2]
    return _rows_of(closest, 1 / closest.shape[1]) @ encodings


def jaccard_distances(queries: csr_array, gallery: csc_array) -> np.ndarray:
    """Compute the Jaccard distance of encodings, 1 - m / (2 - m).

    Only entries that are in both sums are visited: those of a query, each with its column of the gallery.

    Args:
        queries: (B, N) rows of `encode`.
        gallery: (G, N) rows of `encode`, stored by column.

    Returns:
        (B, G) float64 in [0, 1], 1 where nothing is shared.
    """
    partners = np.diff(gallery.indptr)
    overlap = np.empty((queries.shape[0], gallery.shape[0]))
    for first, last in _query_blocks(queries, partners):
        entries = slice(queries.indptr[first], queries.indptr[last])
        column = queries.indices[entries]
        row = np.repeat(np.arange(last - first), np.diff(queries.indptr[first : last + 1]))
        count = partners[column]
        # The entries of the gallery that meet each entry of a query: count[e] from the start of its column.
        before = np.cumsum(count) - count
        partner = np.repeat(gallery.indptr[column] - before, count) + np.arange(count.sum())
        smaller = np.minimum(np.repeat(queries.data[entries], count), gallery.data[partner])
        cell = np.repeat(row * overlap.shape[1], count) + gallery.indices[partner]
        sums = np.bincount(cell, smaller, minlength=(last - first) * overlap.shape[1])
        overlap[first:last] = sums.reshape(last - first, -1)
    return 1 - overlap / (2 - overlap)


def _query_blocks(queries: csr_array, partners: np.ndarray) -> Iterator[tuple[int, int]]:
    """Cut queries into runs of about `_TERMS` terms: (first, behind the last)."""
    terms = np.concatenate([[0], np.cumsum(partners[queries.indices])])[queries.indptr]
    run = terms[1:] // _TERMS
    cuts = np.flatnonzero(np.diff(run)) + 1
    return pairwise([0, *cuts.tolist(), queries.shape[0]])


def _rows_of(columns: np.ndarray, value: float | np.integer) -> csr_array:
    """Make an (N, N) matrix that holds one value at (i, columns[i, ...])."""
    count, width = columns.shape
    data = np.full(columns.size, value)
    return csr_array((data, columns.ravel(), np.arange(0, columns.size + 1, width)), (count, count))


def _scaled(distances: np.ndarray, furthest: np.ndarray, exponent: int) -> np.ndarray:
    """Divide by the furthest and raise to a power, in float64; 0 where all images are at one point."""
    apart = furthest.astype(np.float64)
    return (distances / np.where(apart > 0, apart, 1)) ** exponent
