"""Confidence intervals: against a slow oracle, and what clustering does to them. CPU, seconds."""

import numpy as np
import pytest

from tests.reference.bootstrap import resampled_means
from vireid.retrieval.bootstrap import RESAMPLES, confidence_intervals


def made(identities=12, queries=5, trials=3, seed=0):
    """Make queries whose values scatter more between identities than within one."""
    generator = np.random.default_rng(seed)
    pids = 100 + np.tile(np.repeat(np.arange(identities), queries), (trials, 1))
    level = generator.random(identities)[pids - 100]
    return pids, np.clip(level + 0.1 * generator.standard_normal(pids.shape), 0, 1)


def test_interval_agrees_with_slow_oracle_also_with_queries_in_no_mean():
    pids, values = made()
    values[0, 3:9] = values[:, 20:25] = np.nan  # parts of two identities in one trial, one identity in all
    known = np.unique(pids[~np.isnan(values)])
    generator = np.random.default_rng(0)
    draws = [known[generator.integers(len(known), size=len(known))].tolist() for _ in range(RESAMPLES)]
    scores = [[None if np.isnan(value) else value for value in row] for row in values]
    means = resampled_means(pids.tolist(), scores, draws)
    assert confidence_intervals(pids, values[None]) == [pytest.approx(np.quantile(means, (0.025, 0.975)))]


def test_other_queries_in_each_trial_keep_their_identities():
    pids, values = made()
    order = np.random.default_rng(1).permutation(pids.shape[1])
    shuffled = [np.vstack([rows[:1], rows[1:2, order], rows[2:]]) for rows in (pids, values)]
    found, expected = (
        confidence_intervals(shuffled[0], shuffled[1][None]),
        confidence_intervals(pids, values[None]),
    )
    assert found == [pytest.approx(expected[0], rel=1e-12)]


def test_queries_of_one_identity_count_as_one_piece_of_evidence():
    pids, values = made(identities=30, trials=1)
    (low, high), repeated = confidence_intervals(pids, values[None])[0], np.repeat(pids, 10, axis=1)
    assert confidence_intervals(repeated, np.repeat(values, 10, axis=1)[None])[0] == pytest.approx((low, high))
    independent = np.arange(values.size).reshape(values.shape)
    narrow = confidence_intervals(independent, values[None])[0]
    assert narrow[1] - narrow[0] < 0.7 * (high - low)
    assert low < values.mean() < high


def test_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(60):
        pids, _ = made(identities=40, queries=3, trials=1, seed=seed)
        generator = np.random.default_rng(1000 + seed)
        values = (generator.random(40)[pids - 100] > 0.5).astype(float)
        (low, high) = confidence_intervals(pids, values[None])[0]
        covered += low <= 0.5 <= high
    assert 50 <= covered <= 60


def test_equal_values_and_a_single_identity_have_an_interval_of_no_width():
    pids, values = made()
    assert confidence_intervals(pids, np.full((1, *values.shape), 0.25)) == [(0.25, 0.25)]
    alone = values[:, :5]
    expected = pytest.approx(alone.mean())
    assert confidence_intervals(pids[:, :5], alone[None]) == [(expected, expected)]
