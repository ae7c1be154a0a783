"""Finding the experiments of a table, and the table made of them. CPU, seconds."""

from dataclasses import replace

import pytest

from tests.made import ROOT
from vireid.experiments import summary
from vireid.experiments.collect import collect, differences, numbers
from vireid.experiments.dvc import Experiment
from vireid.experiments.grid import load_grid
from vireid.experiments.plan import make_plan
from vireid.presets import flat
from vireid.support.errors import UserError

CONF = ROOT / "conf"
PROTOCOL = "synthetic/all_search/single_shot"


@pytest.fixture(scope="module")
def plan():
    grid = load_grid(CONF, "fprnet/table8")
    return make_plan(grid, "fprnet/table8", ROOT / "params.yaml", CONF, {"schedule": "quick"}, grid.rows)


@pytest.fixture(scope="module")
def experiment(plan):
    """Make an experiment of a row; its rank-1 is 10 and its mAP 20, more by the seed."""

    def make(row, seed, **changes):
        metrics = {"rank1": 10.0 + seed, "rank5": 40.0, "rank10": 50.0, "rank20": 60.0, "mAP": 20.0 + seed}
        made = Experiment(
            name=plan.name(row, seed),
            state="finished",
            revision="c" * 40,
            base="abcdef0123",
            timestamp="2026-01-01T00:00:00",
            params=flat(plan.settings[row] | {"seed": seed}),
            metrics={"synthetic": {"all_search": {"single_shot": metrics}}},
        )
        return replace(made, **changes)

    return make


def test_experiments_are_sorted_by_row_seed_and_state(plan, experiment):
    found = collect(
        plan,
        [
            experiment("fprnet", 0),
            experiment("fprnet", 10),
            experiment("fprnet", 2, state="queued"),
            experiment("svdnet", 0, state="running"),
            experiment("svdnet", 1, state="failed"),
            experiment("fprnet", 1, name="fprnet-table8-synthetic-demo-fprnet-s1"),
            experiment("fprnet", 1, name="other-fprnet-table8-synthetic-quick-fprnet-s1"),
            experiment("fprnet", 1, name=""),
        ],
    )
    assert (set(found["fprnet"].finished), found["fprnet"].waiting, found["fprnet"].failed) == (
        {0, 10},
        {2},
        set(),
    )
    assert (set(found["svdnet"].finished), found["svdnet"].waiting, found["svdnet"].failed) == (set(), {0}, {1})
    assert "cmgan" not in found
    assert found["resnet50"].finished == {}


def test_latest_of_two_counts_whatever_their_order(plan, experiment):
    late = experiment("fprnet", 0, revision="late", timestamp="2026-02-01T00:00:00")
    for listed in ([experiment("fprnet", 0), late], [late, experiment("fprnet", 0)]):
        assert collect(plan, listed)["fprnet"].finished[0].revision == "late"


def test_what_failed_before_it_finished_or_was_queued_again_has_not_failed(plan, experiment):
    failed = experiment("fprnet", 0, state="failed")
    assert collect(plan, [failed, experiment("fprnet", 0)])["fprnet"].failed == set()
    assert collect(plan, [failed, experiment("fprnet", 0, state="queued")])["fprnet"].failed == set()


@pytest.mark.parametrize(("key", "value"), [("train.epochs", 3), ("seed", 5), ("model.fusion_block", False)])
def test_experiment_with_other_parameters_is_left_out_and_named(plan, experiment, key, value):
    made = experiment("fprnet", 0)
    other = replace(made, params=made.params | {key: value})
    found = collect(plan, [other])["fprnet"]
    assert found.finished == {}
    assert found.stale == {made.name}


def test_parameters_that_no_row_sets_may_differ_but_are_told(plan, experiment):
    first, second = experiment("fprnet", 0), experiment("svdnet", 0)
    second = replace(second, params=second.params | {"compute.threads": 7, "dataset.root": "/elsewhere"})
    found = collect(plan, [first, second])
    assert set(found["svdnet"].finished) == {0}
    assert differences(found, plan) == {"compute.threads": [7, first.params["compute.threads"]]}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert any("compute.threads" in note for note in notes)


def test_numbers_are_those_of_the_protocol_and_of_the_part_below_it(experiment):
    made = experiment("fprnet", 3)
    assert numbers(made, PROTOCOL, None, ["rank1", "mAP"]) == {"rank1": 13.0, "mAP": 23.0}
    made.metrics["synthetic"]["all_search"]["single_shot"]["reranked"] = {"rank1": 99.0}
    assert numbers(made, PROTOCOL, "reranked", ["rank1"]) == {"rank1": 99.0}


@pytest.mark.parametrize(
    ("protocol", "result"), [("synthetic/x/y", None), (PROTOCOL, "reranked"), (PROTOCOL, "mAP")]
)
def test_missing_numbers_are_an_error(experiment, protocol, result):
    with pytest.raises(UserError, match="it has no rank1"):
        numbers(experiment("fprnet", 0), protocol, result, ["rank1"])


def test_table_shows_every_row_with_what_there_is(plan, experiment):
    rows = [experiment("fprnet", 0), experiment("fprnet", 1), experiment("svdnet", 1), experiment("svdnet", 2)]
    rows.append(experiment("resnet50", 0, state="failed"))
    made = summary.comparison(plan, collect(plan, rows), list(plan.grid.rows), PROTOCOL)
    states = {row.label: row.state for row in made.rows}
    assert len(made.rows) == len(plan.grid.rows)
    assert (states["FPRnet"], states["SVDnet"], states["ResNet-50"]) == ("2", "2", "1 failed")
    assert (states["CmGAN"], states["FPRnet + SRCNN"]) == ("paper only", "not run")
    assert made.reference.label == "FPRnet"
    assert made.reference.ours[1] == {"rank1": 11.0, "rank10": 50.0, "rank20": 60.0, "mAP": 21.0}
    text = "\n".join(made.notes)
    assert "20 epochs of 40 steps, batches of 64, 128x64 pixels" in text
    assert "over the seeds 0, 1, 2." in text
    assert "say nothing about real cameras" in text
    assert "vireid experiments fprnet/table8 --schedule quick --queue" in text
    assert "Started from commit abcdef0." in text


def test_table_of_runs_of_several_commits_says_so(plan, experiment):
    rows = [experiment("fprnet", 0), experiment("fprnet", 1, base="fedcba9876")]
    made = summary.comparison(plan, collect(plan, rows), ["fprnet"], PROTOCOL)
    assert any("abcdef0, fedcba9: the code may differ" in note for note in made.notes)


def test_reference_is_compared_with_even_where_it_is_not_shown(plan, experiment):
    found = collect(plan, [experiment("fprnet", 0), experiment("svdnet", 0)])
    made = summary.comparison(plan, found, ["svdnet"], PROTOCOL)
    assert [row.label for row in made.rows] == ["SVDnet"]
    assert made.reference.ours[0]["mAP"] == 20.0


def test_rank_curves_hold_the_reported_ranks_for_each_seed(plan, experiment):
    found = collect(plan, [experiment("fprnet", 0), experiment("fprnet", 1)])
    curves = summary.rank_curves(plan, found, PROTOCOL)
    assert list(curves) == ["FPRnet"]
    assert [curve.to_dict() for curve in curves["FPRnet"]] == [
        {1: 10.0, 5: 40.0, 10: 50.0, 20: 60.0},
        {1: 11.0, 5: 40.0, 10: 50.0, 20: 60.0},
    ]
