"""Distances of pairs: which pairs there are, worked by hand, and how well they separate. CPU, seconds."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.retrieval.made import feature_set, features_of, random_features
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.pairs import pairs_of

PROTOCOL = protocol_named("synthetic/all_search/single_shot")


def test_pairs_worked_by_hand():
    visible = feature_set([(1, 1), (1, 2), (2, 1)], [[0], [1], [5]])
    infrared = feature_set([(1, 3), (2, 3)], [[2], [9]])
    within, across = pairs_of(features_of(visible, infrared), replace(PROTOCOL, normalise=False), most=10)
    assert (within.same.tolist(), sorted(within.different.tolist())) == ([1], [4, 5])
    assert sorted(across.same.tolist()) == [1, 2, 4]
    assert sorted(across.different.tolist()) == [3, 8, 9]
    # Of the nine comparisons only 4 against 3 is the wrong way round.
    assert across.separation == pytest.approx(8 / 9)


def test_junk_is_in_no_pair():
    visible = feature_set([(1, 1), (-1, 2), (-1, 2), (2, 1), (1, 2)], [[0], [8], [8], [5], [1]])
    infrared = feature_set([(1, 3), (-1, 3), (2, 3)], [[2], [8], [9]])
    within, across = pairs_of(features_of(visible, infrared), replace(PROTOCOL, normalise=False), most=10)
    assert (within.same.tolist(), sorted(within.different.tolist())) == ([1], [4, 5])
    assert sorted(across.same.tolist()) == [1, 2, 4]
    assert sorted(across.different.tolist()) == [3, 8, 9]


def test_equal_distances_count_half():
    visible, infrared = feature_set([(1, 1), (2, 1)], [[0], [0]]), feature_set([(1, 3)], [[1]])
    (across,) = pairs_of(features_of(visible, infrared), replace(PROTOCOL, normalise=False), most=10)
    assert across.separation == 0.5


def test_separation_is_the_area_under_the_curve():
    for pairs in pairs_of(random_features(noise=0.6), PROTOCOL, most=40):
        labels = np.repeat([0, 1], [len(pairs.same), len(pairs.different)])
        expected = roc_auc_score(labels, np.concatenate([pairs.same, pairs.different]))
        assert pairs.separation == pytest.approx(expected)


def test_no_more_images_than_asked_for():
    features = random_features(pids=range(1, 31), visible=3)
    within = pairs_of(features, PROTOCOL, most=60)[0]
    assert len(within.same) + len(within.different) == 60 * 59 / 2
