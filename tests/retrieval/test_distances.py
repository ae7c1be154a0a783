"""Distances: known points, an independent implementation, and exact ties. CPU, seconds."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from vireid.retrieval.distances import DISTANCES, cosine, euclidean, unit_length


@pytest.fixture
def points():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(count, 37, generator=generator, dtype=torch.float64) for count in (13, 29)]


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_agree_with_scipy(name, points):
    distmat = DISTANCES[name](*points)
    assert distmat.dtype == torch.float32
    np.testing.assert_allclose(distmat, cdist(*points, metric=name), rtol=1e-6)


def test_euclidean_is_not_squared():
    assert euclidean(torch.zeros(1, 2).double(), torch.tensor([[3.0, 4.0]]).double()).item() == 5


@pytest.mark.parametrize("name", DISTANCES)
def test_equal_images_tie_exactly_wherever_they_stand(name, points):
    queries, gallery = points
    repeated = torch.cat(
        [gallery, gallery[:1], gallery.flip(0), gallery[:1]]
    )  # odd places in the blocks of a product
    distmat = DISTANCES[name](queries, repeated)
    for place in (29, 58, 59):
        assert torch.equal(distmat[:, 0], distmat[:, place])


@pytest.mark.parametrize("name", DISTANCES)
def test_an_image_is_at_distance_zero_from_itself(name, points):
    distmat = DISTANCES[name](1000 * points[0], 1000 * points[0])
    assert distmat.diagonal().max() < 1e-6
    assert (distmat >= 0).all()


def test_identical_points_are_at_exactly_zero(points):
    for distance in (euclidean, cosine):
        assert (distance(points[0], points[0].clone()).diagonal() == 0).all()


def test_cosine_ignores_length(points):
    torch.testing.assert_close(cosine(points[0], points[1]), cosine(5 * points[0], points[1] / 7))


def test_zero_vector_keeps_a_finite_distance():
    zero, point = torch.zeros(1, 2).double(), torch.tensor([[3.0, 4.0]]).double()
    assert cosine(zero, point).item() == 1
    assert unit_length(zero).tolist() == [[0, 0]]
