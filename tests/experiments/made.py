"""Experiments of a table, made up."""

from tests.made import CONF, ROOT
from vireid.experiments.dvc import Experiment
from vireid.experiments.grid import load_grid
from vireid.experiments.plan import make_plan
from vireid.experiments.repetition import Repetition
from vireid.layers import flat

PROTOCOL = "synthetic/all_search/single_shot"
REGDB = "synthetic_regdb/visible_to_infrared"


def planned(table, dataset="synthetic"):
    grid = load_grid(CONF, table)
    presets = {"schedule": "quick", "dataset": dataset}
    return make_plan(grid, table, ROOT / "params.yaml", CONF, presets, grid.rows)


def made(plan, row, seed, trial=0, mAP=None, params=None, **changes):
    """Make an experiment of a row; its rank-1 is 10 and its mAP 20, more by the seed; `params` are changes."""
    repetition = Repetition(seed, trial)
    metrics = {"rank1": 10.0 + seed, "rank5": 40.0, "rank10": 50.0, "rank20": 60.0}
    metrics["mAP"] = 20.0 + seed if mAP is None else mAP
    single_shot = {"all_search": {"single_shot": metrics}}
    known = flat(plan.settings[row]) | {"seed": seed, "dataset.trial": trial}
    values = {
        "name": plan.name(row, repetition),
        "state": "finished",
        "revision": "c" * 40,
        "base": "abcdef0123",
        "timestamp": "2026-01-01T00:00:00",
        "params": known | (params or {}),
        "metrics": {"synthetic": single_shot, "synthetic_regdb": {"visible_to_infrared": metrics}},
    }
    return Experiment(**(values | changes))


def seeds(*numbers):
    return {Repetition(number, 0) for number in numbers}
