"""Queries against a pool: exact distances and masks. CPU, instant."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from tests.retrieval.made import feature_set, features_of
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.gallery_pool import GalleryPool
from vireid.retrieval.ranking import JUNK_KEY

PLAIN = replace(protocol_named("synthetic/all_search/single_shot"), normalise=False)
GALLERY = [(1, 2), (1, 4), (2, 5), (2, 1)]
QUERIES = [(1, 3), (2, 6)]


@pytest.fixture
def features():
    generator = np.random.default_rng(0)
    # Far from the origin, where products in float32 lose all digits of a distance.
    return features_of(
        *(
            feature_set(images, 1000 + generator.standard_normal((len(images), 16)))
            for images in (GALLERY, QUERIES)
        )
    )


def test_distances_are_exact_far_from_the_origin(features):
    distmat = GalleryPool(features, PLAIN, np.array([3, 0, 1])).distances(np.array([1, 0]))
    vectors = [images.embeddings["bn"].astype(np.float64) for images in (features.infrared, features.visible)]
    np.testing.assert_allclose(distmat, cdist(vectors[0][[1, 0]], vectors[1][[3, 0, 1]]), rtol=1e-5)


def test_keys_carry_matches_and_junk(features):
    keys = GalleryPool(features, PLAIN, np.arange(4)).keys(np.array([0, 1])).numpy()
    assert (keys & 1).tolist() == [[0, 1, 0, 0], [0, 0, 1, 1]]
    assert (keys == JUNK_KEY).tolist() == [[True, False, False, False], [False] * 4]
