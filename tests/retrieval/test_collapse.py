"""Embeddings that are all the same, and such as only look like it. CPU, instant."""

from dataclasses import replace

import numpy as np
import pytest

from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.collapse import all_but_equal, collapse_warning

PROTOCOL = protocol_named("synthetic/all_search/single_shot")
RANDOM = np.random.default_rng(0).random((50, 8))


@pytest.mark.parametrize(
    ("vectors", "equal"),
    [
        (np.ones((50, 8)), True),
        (np.zeros((50, 8)), True),
        (1 + 1e-9 * RANDOM, True),
        (1e30 * (1 + 1e-6 * RANDOM), True),
        (1e-30 * RANDOM, False),
        (1 + 0.01 * RANDOM, False),
        (np.eye(50)[[0] * 49 + [1]], False),
    ],
)
def test_vectors_are_all_but_equal_relative_to_their_length(vectors, equal):
    assert all_but_equal(vectors.astype(np.float32)) == equal


def test_sound_embedding_is_not_warned_of():
    assert collapse_warning(random_features(), PROTOCOL) == ""


def test_collapsed_modality_is_named():
    features = random_features()
    visible = replace(features.visible, embeddings={"bn": np.ones_like(features.visible.embeddings["bn"])})
    warning = collapse_warning(features_of(visible, features.infrared), PROTOCOL)
    assert "all visible images" in warning
    assert "infrared" not in warning


def test_lengths_count_where_the_protocol_does_not_scale_them():
    images = layout(range(1, 9), (1, 3), 2)
    rays = feature_set(images, np.arange(1.0, len(images) + 1)[:, None] * np.ones(4))
    assert "collapsed" in collapse_warning(features_of(rays, rays), PROTOCOL)
    assert collapse_warning(features_of(rays, rays), replace(PROTOCOL, normalise=False)) == ""


def test_junk_does_not_hide_a_collapse():
    images = layout(range(1, 9), (1, 3), 2)
    vectors = np.ones((len(images), 4))
    vectors[0] = [9, -9, 0, 0]
    junk = feature_set(images, vectors)
    junk = replace(junk, pid=np.where(np.arange(len(images)) == 0, -1, junk.pid).astype(np.int32))
    assert "collapsed" in collapse_warning(features_of(junk, junk), PROTOCOL)
