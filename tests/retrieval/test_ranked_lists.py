"""Ranked lists: the queries that are shown, and what is shown of them. CPU, seconds."""

from dataclasses import replace

import numpy as np
import pytest

from tests.retrieval.made import feature_set, features_of, random_features
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.evaluation import evaluate
from vireid.retrieval.ranked_lists import from_best_to_worst, ranked_lists, worst

ALL = protocol_named("synthetic/all_search/single_shot")


def test_queries_are_spread_from_the_best_to_the_worst():
    result = evaluate(random_features(noise=0.7), ALL, (1,))
    precision = result.average_precision[0]
    shown = precision[from_best_to_worst(result, 5)]
    assert shown.tolist() == sorted(shown, reverse=True)
    assert (shown[0], shown[-1]) == (precision.max(), precision.min())
    assert shown[2] == pytest.approx(np.median(precision), abs=0.05)


def test_queries_without_match_are_not_shown_and_few_queries_are_shown_once():
    visible = feature_set([(1, 1), (2, 1)], [[1.0, 0], [0, 1]])
    infrared = feature_set([(1, 3), (9, 3), (2, 3)], [[0.0, 1], [0, 1], [0, 1]])
    result = evaluate(features_of(visible, infrared), ALL, (1,))
    assert from_best_to_worst(result, 8).tolist() == [2, 0]


def test_list_holds_the_closest_images_without_junk():
    visible = feature_set([(1, 2), (1, 4), (2, 1), (3, 5)], [[0.0], [3], [1], [2]])
    infrared = feature_set([(1, 3), (1, 6)], [[0.0], [0]])
    features = features_of(visible, infrared)
    result = evaluate(features, replace(ALL, normalise=False), (1,))
    from_3, from_6 = ranked_lists(features, result, [0, 1], top=4)
    assert from_3.gallery.tolist() == [2, 3, 1]  # the camera-2 image is junk for it
    assert from_3.distance.tolist() == [1, 2, 3]
    assert from_3.correct.tolist() == [False, False, True]
    assert from_3.average_precision == pytest.approx(1 / 3)
    assert (from_3.match, from_3.match_rank) == (1, 3)
    assert (from_6.match, from_6.match_rank) == (0, 1)
    assert from_6.gallery.tolist() == [0, 2, 3, 1]
    assert from_6.query == 1
    assert len(ranked_lists(features, result, [1], top=2)[0].gallery) == 2


def test_worst_queries_are_one_of_each_identity():
    features = random_features(noise=0.7)
    result = evaluate(features, ALL, (1,))
    positions = worst(features, result, 6)
    precision, pids = result.average_precision[0], features.infrared.pid
    assert len(set(pids[positions])) == 6
    assert precision[positions].tolist() == sorted(precision[positions])
    assert precision[positions[0]] == precision.min()
    for position in positions:
        assert precision[position] == precision[pids == pids[position]].min()
    others = np.setdiff1d(pids, pids[positions])
    assert all(precision[pids == pid].min() >= precision[positions[-1]] for pid in others)


def test_worst_queries_have_a_match():
    visible = feature_set([(1, 1), (2, 1)], [[1.0, 0], [0, 1]])
    infrared = feature_set([(1, 3), (9, 3), (2, 3)], [[0.0, 1], [0, 1], [0, 1]])
    features = features_of(visible, infrared)
    assert worst(features, evaluate(features, ALL, (1,)), 8).tolist() == [0, 2]


def test_list_agrees_with_the_scores():
    features = random_features(noise=0.7)
    result = evaluate(features, ALL, (1,))
    positions = from_best_to_worst(result, 12)
    for position, item in zip(positions, ranked_lists(features, result, positions, 200, trial=0), strict=True):
        hits = np.flatnonzero(item.correct) + 1
        precision = np.mean(np.arange(1, len(hits) + 1) / hits)
        assert precision == pytest.approx(result.average_precision[0, position])
        assert (np.diff(item.distance) >= 0).all()
