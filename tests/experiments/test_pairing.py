"""Paired differences, Holm's correction and groups of equals, by hand. CPU, seconds."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from vireid.experiments.pairing import (
    groups_of_equals,
    holm_levels,
    paired_difference,
    paired_probability,
)


def seeds(*values):
    return {seed: {seed: {"mAP": value}} for seed, value in enumerate(values)}


def test_paired_difference_is_students():
    # Differences 1, 2, 3: mean 2, deviation 1, and t(2) at 97.5 % is 4.30265.
    mean, half = paired_difference(seeds(31.0, 33.0, 35.0), seeds(30.0, 31.0, 32.0), "mAP")
    assert mean == pytest.approx(2)
    assert half == pytest.approx(4.30265 / math.sqrt(3), abs=1e-4)


def test_paired_difference_ignores_what_seeds_have_in_common():
    # Both rows move by 10 from seed to seed; their difference does not.
    mean, half = paired_difference(seeds(11.0, 21.0, 31.0), seeds(10.0, 20.0, 30.0), "mAP")
    assert (mean, half) == (pytest.approx(1), pytest.approx(0))


def test_paired_difference_uses_common_seeds_only():
    mean, half = paired_difference({1: {1: {"mAP": 5.0}}, 7: {7: {"mAP": 90.0}}}, seeds(0.0, 4.0), "mAP")
    assert mean == 1
    assert math.isnan(half)
    assert paired_difference({7: {7: {"mAP": 90.0}}}, seeds(0.0), "mAP") is None


def test_runs_of_a_unit_count_as_one():
    # Differences 1 and 3 of unit "a", 4 and 6 of "b": means 2 and 5, deviation 3 / sqrt(2); t(1) is 12.7062.
    row = {"a": {0: {"mAP": 1.0}, 1: {"mAP": 3.0}}, "b": {0: {"mAP": 4.0}, 1: {"mAP": 6.0}}}
    reference = {unit: {0: {"mAP": 0.0}, 1: {"mAP": 0.0}} for unit in "ab"}
    mean, half = paired_difference(row, reference, "mAP")
    assert mean == pytest.approx(3.5)
    assert half == pytest.approx(12.7062 * 3 / math.sqrt(2) / math.sqrt(2), abs=1e-3)


def test_unit_counts_by_the_runs_that_both_have():
    row = {"a": {0: {"mAP": 1.0}, 1: {"mAP": 90.0}}, "b": {1: {"mAP": 90.0}}}
    reference = {"a": {0: {"mAP": 0.0}}, "b": {0: {"mAP": 0.0}}}
    mean, half = paired_difference(row, reference, "mAP")
    assert mean == 1
    assert math.isnan(half)


def test_interval_of_another_level_is_wider():
    row, reference = seeds(31.0, 33.0, 35.0), seeds(30.0, 31.0, 32.0)
    # t(2) at 99.5 % is 9.92484.
    assert paired_difference(row, reference, "mAP", 0.01)[1] == pytest.approx(9.92484 / math.sqrt(3), abs=1e-4)


def test_probability_is_that_of_the_paired_t_test():
    one, other = [31.0, 33.0, 36.0, 30.0], [30.0, 31.0, 32.0, 31.0]
    expected = ttest_rel(one, other).pvalue
    assert paired_probability(seeds(*one), seeds(*other), "mAP") == pytest.approx(expected)


@pytest.mark.parametrize(
    ("row", "expected"), [(seeds(30.0, 31.0), 1.0), (seeds(31.0, 32.0), 0.0), (seeds(99.0), 1.0), ({}, 1.0)]
)
def test_probability_without_spread_is_of_certainty(row, expected):
    # The same, one point more each time, a single run, and none.
    assert paired_probability(row, seeds(30.0, 31.0), "mAP") == expected


@pytest.mark.parametrize(
    ("probabilities", "levels"),
    [
        ([0.01, 0.04, 0.03], [0.05 / 3, 0.05 / 2, 0.05 / 2]),  # 0.03 is above a half: there it stops
        ([0.04, 0.001, 0.02], [0.05, 0.05 / 3, 0.05 / 2]),  # all count
        ([0.9, 0.9], [0.05 / 2, 0.05 / 2]),
        ([0.03], [0.05]),
        ([], []),
    ],
)
def test_levels_are_holms(probabilities, levels):
    assert holm_levels(probabilities) == pytest.approx(levels)


def test_rows_that_differ_share_no_letter_and_equals_do():
    best, equal = seeds(50.0, 51.0, 52.0, 53.0), seeds(49.9, 51.2, 51.8, 53.1)
    worst = seeds(20.0, 21.1, 22.0, 23.1)
    assert groups_of_equals([worst, best, {}, equal], "mAP") == ["b", "a", "", "a"]


def test_row_between_two_that_differ_may_have_the_letters_of_both():
    rng = np.random.default_rng(0)
    spread = 4 * rng.normal(size=6)
    rows = [seeds(*(30 + np.arange(6))), seeds(*(31.0 + np.arange(6) + spread)), seeds(*(33.0 + np.arange(6)))]
    assert groups_of_equals(rows, "mAP") == ["b", "ab", "a"]
