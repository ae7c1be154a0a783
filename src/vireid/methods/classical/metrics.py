"""Linear metrics: what features of each spectrum are multiplied by before they are compared.

Each function takes reduced features and labels of the visible and of the infrared training images, (N, P) float64
and (N,) int, and returns a map for each spectrum, (2, P, K) float64 with K columns at most.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from sklearn.cross_decomposition import CCA

Sides = Sequence[np.ndarray]

NEIGHBOUR = 7  # whose distance is the scale of a point in LFDA (Sugiyama, JMLR 2007)
RIDGE = 1e-3  # of the mean variance, added where a matrix is inverted
INTER = 1.0  # weight of the distances between identities in CDFE
LOCAL = 0.1  # weight of the locality in CDFE
SUBSPACE = 0.25  # share of the features whose principal directions are compared between the spectra in CRAFT
DISCREPANCY = 1e-3  # weight of the difference between the two blocks of CRAFT's map, of the mean variance


def euclidean(features: Sides, labels: Sides, columns: int) -> np.ndarray:
    """Compare as they are: the first features, which carry most of the variance."""
    width = features[0].shape[1]
    return np.stack([np.eye(width, min(width, columns))] * 2)


def cca(features: Sides, labels: Sides, columns: int) -> np.ndarray:
    """Canonical correlation analysis: maps that make pairs of one identity correlate."""
    pairs = paired_rows(labels)
    count = min(columns, features[0].shape[1], len(pairs[0]) - 1)
    model = CCA(n_components=count, scale=False, max_iter=2000)
    model.fit(features[0][pairs[0]], features[1][pairs[1]])
    return np.stack([model.x_rotations_, model.y_rotations_])


def lfda(features: Sides, labels: Sides, columns: int) -> np.ndarray:
    """Local Fisher discriminant analysis (Sugiyama, JMLR 2007), one map for both spectra.

    As Fisher's, but only neighbours within an identity are drawn together, so that an identity may have several
    clusters, as it has here with its spectra.
    """
    rows, identities = np.concatenate(list(features)), np.concatenate(list(labels))
    total, (count, width) = rows.sum(axis=0), rows.shape
    between, within = np.zeros((width, width)), np.zeros((width, width))
    for label in np.unique(identities):
        members = rows[identities == label]
        affinity = local_affinity(members)
        near = members.T @ (affinity.sum(axis=1)[:, None] * members) - members.T @ affinity @ members
        spread = members.T @ members
        summed = members.sum(axis=0)
        between += near / count + (1 - len(members) / count) * spread + np.outer(summed, summed) / count
        within += near / len(members)
    between -= np.outer(total, total) / count + within
    return np.stack([_largest(between, within, columns)] * 2)


def local_affinity(rows: np.ndarray) -> np.ndarray:
    """exp(-d^2 / (s_i s_j)), where s is the distance to the seventh neighbour (the last one, if there are fewer).

    Args:
        rows: (R, P), of one identity.

    Returns:
        (R, R); ones where points are equal.
    """
    distances = cdist(rows, rows)
    scale = np.sort(distances, axis=1)[:, min(NEIGHBOUR, len(rows) - 1)]
    products = np.maximum(np.outer(scale, scale), np.finfo(float).tiny)
    return np.exp(-(distances**2) / products)


def cdfe(features: Sides, labels: Sides, columns: int) -> np.ndarray:
    """Common discriminant feature extraction (Lin and Tang, ECCV 2006): a map for each spectrum.

    Smallest are, added up, the mean squared distance across the spectra within identities, minus that between
    identities, and the mean squared distance of neighbours within a spectrum; under the constraint that the mapped
    features of both spectra, added up, have unit covariance.
    """
    same = labels[0][:, None] == labels[1][None, :]
    weights = same / same.sum() - INTER * ~same / (~same).sum()
    width = features[0].shape[1]
    objective, scatter = np.zeros((2 * width, 2 * width)), np.zeros((2 * width, 2 * width))
    cross = features[0].T @ weights @ features[1]
    for side, rows in enumerate(features):
        block = slice(side * width, (side + 1) * width)
        local = np.exp(-(cdist(rows, rows) ** 2) / np.median(cdist(rows, rows)) ** 2)
        laplacian = np.diag(local.sum(axis=1)) - local
        weighted = rows.T @ (weights.sum(axis=1 - side)[:, None] * rows)
        objective[block, block] = weighted + LOCAL * 2 * rows.T @ laplacian @ rows / local.sum()
        scatter[block, block] = rows.T @ rows / len(rows)
    objective[:width, width:], objective[width:, :width] = -cross, -cross.T
    return _largest(-objective, scatter, columns).reshape(2, width, -1)


def craft(features: Sides, labels: Sides, columns: int) -> np.ndarray:
    """CRAFT, camera correlation aware feature augmentation (Chen et al., TPAMI 2018): a map for each spectrum.

    A visible feature x becomes [R x, M x] and an infrared one [M x, R x], with R = (2 - w) / n, M = w / n and
    n^2 = (2 - w)^2 + w^2. How alike the spectra are says w (`subspace_likeness`): 0 gives each a map of its own,
    1 one map for both. One metric is fitted to what comes out, and its two blocks are kept close to each other.
    The paper's metric is marginal Fisher analysis, here it is Fisher's discriminant analysis.
    """
    likeness = subspace_likeness(features)
    length = np.hypot(2 - likeness, likeness)
    same, other = (2 - likeness) / length, likeness / length
    weights = [(same, other), (other, same)]  # of each block, in each spectrum
    augmented = [np.hstack([first * x, second * x]) for x, (first, second) in zip(features, weights, strict=True)]
    between, within = fisher_scatters(np.concatenate(augmented), np.concatenate(list(labels)))
    width = features[0].shape[1]
    apart = np.kron([[1, -1], [-1, 1]], np.eye(width))
    blocks = _largest(between, within + DISCREPANCY * np.trace(within) / (2 * width) * apart, columns)
    return np.stack([first * blocks[:width] + second * blocks[width:] for first, second in weights])


def fisher_scatters(rows: np.ndarray, identities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scatter between and within identities.

    Args:
        rows: (N, P).
        identities: (N,) int.

    Returns:
        (P, P) each.
    """
    _, members = np.unique(identities, return_inverse=True)
    means = np.stack([rows[members == member].mean(axis=0) for member in range(members.max() + 1)])[members]
    between, within = means - rows.mean(axis=0), rows - means
    return between.T @ between, within.T @ within


def subspace_likeness(features: Sides) -> float:
    """Mean squared cosine of the principal angles between the main directions of both spectra, in [0, 1].

    Main are a quarter of all directions, those of the largest variance.
    """
    width = features[0].shape[1]
    count = max(1, round(SUBSPACE * width))
    first, second = (eigh(rows.T @ rows, subset_by_index=[width - count, width - 1])[1] for rows in features)
    return float(((first.T @ second) ** 2).sum() / count)


def paired_rows(labels: Sides) -> tuple[np.ndarray, np.ndarray]:
    """Pair visible with infrared images of one identity; where one spectrum has fewer, its images are repeated.

    Returns:
        Rows of the visible and of the infrared images, (M,) int each.
    """
    pairs: tuple[list[int], list[int]] = ([], [])
    for label in np.intersect1d(labels[0], labels[1]):
        members = [np.flatnonzero(side == label) for side in labels]
        longest = max(map(len, members))
        for rows, member in zip(pairs, members, strict=True):
            rows.extend(np.resize(member, longest))
    return np.array(pairs[0]), np.array(pairs[1])


def _largest(numerator: np.ndarray, denominator: np.ndarray, columns: int) -> np.ndarray:
    """Columns v with the largest v^T numerator v under v^T denominator v = 1, (P, K)."""
    width = len(denominator)
    ridge = RIDGE * np.trace(denominator) / width * np.eye(width)
    first = max(0, width - columns)
    _, vectors = eigh(numerator, denominator + ridge, subset_by_index=[first, width - 1])
    return vectors[:, ::-1]


METRICS: dict[str, Callable[[Sides, Sides, int], np.ndarray]] = {
    "euclidean": euclidean,
    "cca": cca,
    "lfda": lfda,
    "cdfe": cdfe,
    "craft": craft,
}
