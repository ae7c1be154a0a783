"""The map of the embedding: which images are on it, that it repeats, how it fails. CPU, seconds."""

import numpy as np
import pytest

from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.data.records import Modality
from vireid.reporting.embedding_map import _chosen_pids, _rows, draw_embedding_map, project
from vireid.retrieval.protocols import protocol
from vireid.support.errors import UserError

PROTOCOL = protocol("synthetic/all_search/single_shot")


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


def test_too_few_images_are_refused(tmp_path):
    visible, infrared = feature_set([(1, 1)] * 9, np.ones((9, 2))), feature_set([(2, 3)] * 9, np.ones((9, 2)))
    features = features_of(visible, infrared)
    with pytest.raises(UserError, match="too few"):
        draw_embedding_map(tmp_path / "map.png", features, PROTOCOL, 5)
