"""The curves that are drawn beside a table. CPU, seconds."""

import pandas as pd
import pytest

from tests.experiments.made import CONF, PROTOCOL, made, planned
from vireid.experiments import summary
from vireid.experiments.collect import collect
from vireid.experiments.comparison_table import write_comparison_table
from vireid.experiments.grid import Grid, load_grid
from vireid.experiments.repetition import Repetition
from vireid.params import check_section
from vireid.support.errors import UserError


def test_rank_beyond_the_gallery_is_blank_in_table_and_curves(plan, experiment, tmp_path):
    runs = [experiment("fprnet", seed) for seed in (0, 1)]
    for run in runs:
        del run.metrics["synthetic"]["all_search"]["single_shot"]["rank20"]
    found = collect(plan, runs)
    table = summary.comparison(plan, found, ["fprnet"], PROTOCOL)
    assert list(table.rows[0].ours[0][Repetition(0, 0)]) == ["rank1", "rank10", "mAP"]
    assert "Blank, as the gallery is smaller: rank20." in table.notes
    write_comparison_table(tmp_path / "table.md", table)
    assert "| 10.5 ± 0.7 | 50.0 ± 0.0 | \N{EN DASH} | 20.5 ± 0.7 |" in (tmp_path / "table.md").read_text()
    curves = summary.rank_curves(plan, found, PROTOCOL)
    assert [list(curve.index) for curve in curves["FPRnet"]] == [[1, 5, 10]] * 2


def test_rank_curves_hold_the_reported_ranks_for_each_seed(plan, experiment):
    found = collect(plan, [experiment("fprnet", 0), experiment("fprnet", 1)])
    curves = summary.rank_curves(plan, found, PROTOCOL)
    assert list(curves) == ["FPRnet"]
    assert [curve.to_dict() for curve in curves["FPRnet"]] == [
        {1: 10.0, 5: 40.0, 10: 50.0, 20: 60.0},
        {1: 11.0, 5: 40.0, 10: 50.0, 20: 60.0},
    ]


def test_rank_curves_hold_no_rank_that_only_some_runs_report(plan, experiment):
    more = experiment("fprnet", 1, params={"evaluate.ranks": [1, 2, 5, 10, 20]})
    curves = summary.rank_curves(plan, collect(plan, [experiment("fprnet", 0), more]), PROTOCOL)
    assert [list(curve.index) for curve in curves["FPRnet"]] == [[1, 5, 10, 20]] * 2


def test_sweep_curves_hold_the_numbers_over_the_values_for_each_seed(monkeypatch):
    plan = planned("mutual_prediction/alpha")
    rows = list(plan.grid.rows)
    runs = [made(plan, row, seed, mAP=30.0 + place) for place, row in enumerate(rows) for seed in (0, 1)]
    found = collect(plan, runs)
    found = {"a12_2": found["a12_2"]} | found  # as a row that the others are compared with
    trained = {row: [pd.Series([5.0, 9.0 + r.seed, 7.0]) for r in part.finished] for row, part in found.items()}
    monkeypatch.setattr(
        summary,
        "training_curves",
        lambda *_: {("holdout", "mAP"): {plan.grid.rows[row].label: runs for row, runs in trained.items()}},
    )
    places, curves = summary.sweep_curves(plan, found, PROTOCOL)
    assert places == ["0.1", "1.0", "5.0", "12.2", "20.0", "35.0"]
    assert [curve.to_dict() for curve in curves["mAP"]] == [
        {place: 30.0 + place for place in range(6)},
    ] * 2
    assert [len(curve) for curve in curves["rank1"]] == [6, 6]
    held_out = curves["held-out mAP of the chosen epoch"]
    assert [curve.tolist() for curve in held_out] == [[9.0] * 6, [10.0] * 6]
    del found["a35_0"].finished[Repetition(0, 0)]
    trained["a35_0"] = trained["a35_0"][1:]
    _, curves = summary.sweep_curves(plan, found, PROTOCOL)
    assert [curve.tolist() for curve in curves["held-out mAP of the chosen epoch"]] == [[10.0] * 6]


def test_row_that_does_not_set_what_a_table_sweeps_is_refused():
    grid = load_grid(CONF, "mutual_prediction/alpha").model_dump(exclude_none=True)
    grid["rows"]["a1_0"]["set"] = {"loss.beta": 1.0}
    with pytest.raises(UserError, match=r"loss\.alpha"):
        check_section(Grid, grid, "alpha", "correct it")
