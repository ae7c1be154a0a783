"""FAISS proposes and exact distances decide: the same neighbours as by comparing all. CPU, seconds."""

import numpy as np
import pytest
import torch

from vireid.retrieval import neighbour_index
from vireid.retrieval.distance_blocks import VectorDistances
from vireid.retrieval.neighbour_index import find_neighbours_by_index
from vireid.retrieval.neighbours import find_neighbours

RNG = np.random.default_rng(0)
SPREAD = RNG.standard_normal((300, 24))
CLOUDS = {
    "spread": SPREAD,
    "unit": SPREAD / np.linalg.norm(SPREAD, axis=1, keepdims=True),
    "clustered": np.repeat(SPREAD[:10], 30, axis=0) + 0.01 * SPREAD,
    "far from the origin": SPREAD + 1000,
    "duplicates": np.repeat(SPREAD[:60], 5, axis=0)[RNG.permutation(300)],
    "many duplicates": np.repeat(SPREAD[:4], 75, axis=0),
    "grid": RNG.integers(0, 3, (300, 4)).astype(float),
    "one point": np.ones((300, 24)),
    "with zeros": np.concatenate([np.zeros((5, 24)), SPREAD[5:]]),
    "few": SPREAD[:9],
    "two": SPREAD[:2],
}


def both(vectors, distance, count):
    points = torch.from_numpy(vectors)
    (expected,) = find_neighbours(
        VectorDistances(points, distance), [np.arange(len(points))], count, lambda images: None
    )
    return find_neighbours_by_index(points, distance, count, lambda images: None), expected


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_neighbours_are_those_of_comparing_all(cloud, distance):
    result, expected = both(CLOUDS[cloud], distance, 21)
    np.testing.assert_array_equal(result.nearest, expected.nearest)
    np.testing.assert_array_equal(result.furthest, expected.furthest)
    assert result.nearest.dtype == expected.nearest.dtype


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_few_images_are_compared_with_all(distance, monkeypatch):
    compared = []
    monkeypatch.setattr(
        neighbour_index, "compare_with_all", lambda block, rows, neighbours: compared.append(len(rows))
    )
    both(CLOUDS["unit"], distance, 21)
    assert compared[0] < 6


class CoarseIndex(neighbour_index.faiss.IndexFlatIP):
    """Stores points in steps of a quarter, and therefore misses neighbours."""

    def add(self, stored):
        """Round and add."""
        super().add((4 * stored).round() / 4)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_neighbours_that_are_not_proposed_are_found_all_the_same(distance, monkeypatch):
    monkeypatch.setattr(neighbour_index.faiss, "IndexFlatIP", CoarseIndex)
    monkeypatch.setattr(neighbour_index, "_FLOAT32", 0.02)  # an eighth in each of 24 dimensions
    monkeypatch.setattr(neighbour_index, "_SPARE", 0)
    monkeypatch.setattr(neighbour_index, "_FURTHEST", 1)
    result, expected = both(CLOUDS["spread"], distance, 21)
    np.testing.assert_array_equal(result.nearest, expected.nearest)
    np.testing.assert_array_equal(result.furthest, expected.furthest)
    monkeypatch.setattr(neighbour_index, "compare_with_all", lambda *arguments: None)
    believed, _ = both(CLOUDS["spread"], distance, 21)
    assert (believed.nearest != expected.nearest).any()
    assert (believed.furthest != expected.furthest).any()


def test_every_image_is_counted_once(monkeypatch):
    monkeypatch.setattr(neighbour_index, "_SEARCHED", 7)
    counts = []
    find_neighbours_by_index(torch.from_numpy(SPREAD[:30]), "euclidean", 5, counts.append)
    assert sum(counts) == 30
