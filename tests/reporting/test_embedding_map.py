"""The map of the embedding: which images are on it, that it repeats, how it fails. CPU, seconds."""

import numpy as np
import pytest

from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.data.records import Modality
from vireid.datasets.protocols import protocol_named
from vireid.reporting.embedding_map import _chosen_pids, _rows, draw_embedding_map, project
from vireid.reporting.nothing_to_show import NothingToShow

PROTOCOL = protocol_named("synthetic/all_search/single_shot")


def test_identities_are_chosen_evenly_among_those_of_both_modalities():
    visible, infrared = layout(range(1, 8), (1,), 1), layout(range(3, 12), (3,), 1)
    features = features_of(*(feature_set(part, np.ones((len(part), 2))) for part in (visible, infrared)))
    assert _chosen_pids(features, 3).tolist() == [3, 5, 7]
    assert _chosen_pids(features, 9).tolist() == [3, 4, 5, 6, 7]


def test_few_images_of_an_identity_come_from_all_its_cameras():
    features = random_features(pids=range(1, 3), visible=10)
    rows = _rows(features, Modality.VISIBLE, np.array([2]))
    assert len(rows) == 12
    assert set(features.visible.pid[rows]) == {2}
    assert np.unique(features.visible.camid[rows], return_counts=True)[1].tolist() == [3, 3, 3, 3]


def test_projection_keeps_groups_together_and_repeats():
    groups = np.repeat(np.eye(4, 6), 10, axis=0) + np.random.default_rng(0).normal(0, 0.01, (40, 6))
    points = project(groups)
    assert points.tolist() == project(groups).tolist()
    distmat = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(40)
    assert (distmat.argmin(axis=1) // 10 == np.arange(40) // 10).all()


def test_junk_is_on_no_map():
    images = feature_set([(-1, 1), (2, 1), (3, 1)] * 3, np.ones((9, 2)))
    assert _chosen_pids(features_of(images, images), 9).tolist() == [2, 3]


def test_too_few_images_have_no_map(tmp_path):
    visible, infrared = feature_set([(1, 1)] * 9, np.ones((9, 2))), feature_set([(2, 3)] * 9, np.ones((9, 2)))
    features = features_of(visible, infrared)
    with pytest.raises(NothingToShow, match="fewer than 5 images"):
        draw_embedding_map(tmp_path / "map.png", features, PROTOCOL, 5)


@pytest.mark.parametrize(
    "vectors",
    {
        "two points": np.repeat([[0.0, 1.0], [1.0, 0.0]], 20, axis=0),
        "one point and an outlier": np.eye(40)[[0] * 39 + [1]],
        "a point for each identity": np.repeat(np.eye(8), 5, axis=0),
        "five images": np.eye(5),
        "one dimension": np.arange(40.0)[:, None],
        "far from the origin": 1e6 + np.random.default_rng(0).random((40, 8)),
        "larger than float32": np.random.default_rng(0).random((40, 8)) * 1e200,
        "smaller than float32": np.random.default_rng(0).random((40, 8)) * 1e-200,
    }.values(),
)
def test_any_vectors_that_differ_have_finite_points(vectors):
    points = project(vectors)
    assert points.shape == (len(vectors), 2)
    assert np.isfinite(points).all()
    assert np.ptp(points, axis=0).max() > 0
