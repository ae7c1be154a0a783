"""The learning rate over the epochs, by hand. CPU, instant."""

import math

import pytest

from vireid.training.schedule import lr_factor


def settings(params, **changes):
    return params.train.model_copy(update={"epochs": 40, "warmup_epochs": 4, "gamma": 0.1} | changes)


@pytest.mark.parametrize(
    ("progress", "factor"),
    [
        (0.5, 0.125),
        (2, 0.5),
        (4, 1),
        (13, (1 + math.sqrt(0.5)) / 2),
        (22, 0.5),
        (31, (1 - math.sqrt(0.5)) / 2),
        (40, 0),
    ],
)
def test_cosine_rises_linearly_and_falls_to_zero(params, progress, factor):
    found = lr_factor(settings(params, schedule="cosine"), progress)
    assert found == pytest.approx(factor, abs=1e-9)


@pytest.mark.parametrize(
    ("progress", "factor"), [(1, 0.25), (4, 1), (20, 1), (20.01, 0.1), (35, 0.1), (35.5, 0.01), (40, 0.01)]
)
def test_steps_multiply_by_gamma_after_each_milestone(params, progress, factor):
    chosen = settings(params, schedule="step", milestones=[20, 35])
    assert lr_factor(chosen, progress) == pytest.approx(factor, rel=1e-9)


def test_without_warmup_the_first_steps_have_the_full_rate(params):
    assert lr_factor(settings(params, schedule="step", warmup_epochs=0, milestones=[]), 0.001) == 1
    assert lr_factor(settings(params, schedule="cosine", warmup_epochs=0), 1e-6) == pytest.approx(1)


def test_warmup_longer_than_the_training_never_falls(params):
    chosen = settings(params, schedule="cosine", warmup_epochs=80)
    assert [lr_factor(chosen, progress) for progress in (10, 40)] == [0.125, 0.5]


@pytest.mark.parametrize("schedule", ["cosine", "step"])
def test_factor_lies_between_zero_and_one(params, schedule):
    chosen = settings(params, schedule=schedule, milestones=[3, 9])
    assert all(0 <= lr_factor(chosen, step / 10) <= 1 for step in range(1, 401))
