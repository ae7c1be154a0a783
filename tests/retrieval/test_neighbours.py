"""Nearest neighbours within sets of images: against plain sorting, ties, blocks and shared sets. CPU, seconds."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from vireid.retrieval import distance_blocks, neighbours
from vireid.retrieval.distance_blocks import DistancesWithin, MatrixDistances, VectorDistances, all_pairs
from vireid.retrieval.neighbours import find_neighbours, smallest


def found(block, sets, count):
    return find_neighbours(block, sets, count, lambda images: None)


@pytest.fixture
def vectors():
    return torch.from_numpy(np.random.default_rng(0).standard_normal((40, 5)))


@pytest.fixture
def distmat(vectors):
    return cdist(vectors, vectors).astype(np.float32)


def test_neighbours_are_those_of_a_full_sort(distmat):
    (result,) = found(MatrixDistances(distmat), [np.arange(40)], 7)
    np.testing.assert_array_equal(result.nearest, distmat.argsort(axis=1, kind="stable")[:, :7])
    np.testing.assert_array_equal(result.furthest, distmat.max(axis=1))


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_neighbours_of_vectors_are_those_of_their_distances(vectors, distance):
    block = VectorDistances(vectors, distance)
    everything = block(np.arange(40), slice(None))
    np.testing.assert_allclose(everything, cdist(vectors, vectors, distance), atol=1e-6)
    assert block(np.array([3, 9]), np.array([1, 30])).tolist() == everything[np.ix_([3, 9], [1, 30])].tolist()
    from_vectors, from_matrix = (found(b, [np.arange(40)], 7)[0] for b in (block, MatrixDistances(everything)))
    np.testing.assert_array_equal(from_vectors.nearest, from_matrix.nearest)
    np.testing.assert_array_equal(from_vectors.furthest, from_matrix.furthest)


def test_an_image_is_its_own_first_neighbour_then_equal_ones_by_position():
    (result,) = found(MatrixDistances(np.zeros((4, 4), np.float32)), [np.arange(4)], 3)
    assert result.nearest.tolist() == [[0, 1, 2], [1, 0, 2], [2, 0, 1], [3, 0, 1]]
    assert result.furthest.tolist() == [0] * 4


def test_negative_zero_is_zero():
    distmat = np.array([[0, 0.0, -0.0], [0, 0, 0], [-0.0, 0, 0]], np.float32)
    (result,) = found(MatrixDistances(distmat), [np.arange(3)], 3)
    assert result.nearest[0].tolist() == [0, 1, 2]


def test_columns_of_a_matrix_that_is_not_symmetric_count():
    distmat = np.array([[0, 9, 1], [2, 0, 1], [3, 8, 0]], np.float32)
    (result,) = found(MatrixDistances(distmat), [np.arange(3)], 3)
    assert result.nearest.tolist() == [[0, 1, 2], [1, 2, 0], [2, 0, 1]]
    assert result.furthest.tolist() == [3, 9, 1]


def test_a_set_smaller_than_the_count_keeps_all(distmat):
    (result,) = found(MatrixDistances(distmat[:3, :3]), [np.arange(3)], 21)
    assert result.nearest.shape == (3, 3)


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_sets_that_share_images_are_searched_as_if_alone(distmat, monkeypatch, rows):
    monkeypatch.setattr(neighbours, "_BLOCK_ITEMS", 40 * rows)
    sets = [np.arange(40), np.r_[0:10, 20:30], np.r_[0:10, 30:40], np.array([5, 39])]
    together = found(MatrixDistances(distmat), sets, 6)
    for items, result in zip(sets, together, strict=True):
        alone = found(MatrixDistances(distmat[np.ix_(items, items)]), [np.arange(len(items))], 6)[0]
        np.testing.assert_array_equal(result.nearest, alone.nearest)
        np.testing.assert_array_equal(result.furthest, alone.furthest)


def test_sets_without_the_images_around_one_are_searched_as_if_alone(monkeypatch):
    generator = np.random.default_rng(3)
    points = 100 * generator.standard_normal((10, 4)).repeat(60, axis=0) + generator.standard_normal((600, 4))
    distmat = cdist(points, points).astype(np.float32)
    lonely = np.r_[5, 60:600:2]  # one of the first cluster alone, half of all others
    far = np.flatnonzero(distmat[0] < np.sort(distmat[0])[-100])  # without the furthest from the first cluster
    sets = [np.arange(600), lonely, far]
    compared = []
    monkeypatch.setattr(
        neighbours, "smallest", lambda keys, count: compared.append(len(keys)) or smallest(keys, count)
    )
    together = found(MatrixDistances(distmat), sets, 6)
    assert 0 < sum(compared) < 40  # with a whole set
    for items, result in zip(sets, together, strict=True):
        part = distmat[np.ix_(items, items)]
        expected = part.argsort(axis=1, kind="stable")[:, :6]
        np.testing.assert_array_equal(result.nearest, expected)
        np.testing.assert_array_equal(result.furthest, part.max(axis=1))


def test_distances_of_all_pairs_are_those_of_the_vectors(vectors, monkeypatch):
    monkeypatch.setattr(distance_blocks, "_ROWS_FILLED", 7)
    counts = []
    held, computed = all_pairs(vectors, "euclidean", counts.append), VectorDistances(vectors, "euclidean")
    rows, items = np.arange(40), np.array([39, 2, 7, 20])
    np.testing.assert_array_equal(held(rows, slice(None)), computed(rows, slice(None)))
    for distances in (held, computed, DistancesWithin(held, rows), DistancesWithin(computed, rows)):
        some = distances(items, np.array([1, 0]))
        np.testing.assert_array_equal(some, computed(rows, rows)[np.ix_(items, [1, 0])])
        few = distances.of_each(items, np.array([0, 2, 2, 3, 4]), np.array([5, 1, 8, 39]))
        assert few.tolist() == [computed(rows, rows)[pair] for pair in ((39, 5), (39, 1), (7, 8), (20, 39))]
        assert distances(items, slice(1, 3)).shape == (4, 2)
    within = DistancesWithin(held, items)
    assert within(np.array([1]), np.array([3, 0])).tolist() == held(np.array([2]), np.array([20, 39])).tolist()
    assert within.of_each(np.array([0]), np.array([0, 1]), np.array([2])) == held(rows, rows)[39, 7]
    assert sum(counts) == 40


def test_every_image_is_counted_once(distmat):
    counts = []
    find_neighbours(MatrixDistances(distmat), [np.arange(40)], 3, counts.append)
    assert sum(counts) == 40


def test_only_blocks_of_distances_are_asked_for(monkeypatch):
    monkeypatch.setattr(neighbours, "_BLOCK_ITEMS", 400)
    shapes = []

    def block(rows, columns):
        shapes.append((len(rows), columns))
        return np.ones((len(rows), 100), np.float32)

    found(block, [np.arange(100)], 3)
    assert shapes == [(4, slice(None))] * 25


@pytest.mark.parametrize(
    ("distmat", "message"),
    [
        (np.zeros((2, 3), np.float32), r"not \(2, 3\) float32"),
        (np.zeros((2, 2)), r"not \(2, 2\) float64"),
        (np.array([[0, np.nan], [1, 0]], np.float32), "finite and not negative"),
        (np.array([[0, np.inf], [1, 0]], np.float32), "finite and not negative"),
        (np.array([[0, -1], [1, 0]], np.float32), "finite and not negative"),
    ],
)
def test_what_is_no_matrix_of_distances_is_refused(distmat, message):
    with pytest.raises(ValueError, match=message):
        MatrixDistances(distmat)
