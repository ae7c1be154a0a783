"""Finding the experiments of a table, and the table made of them. CPU, seconds."""

from dataclasses import replace
from functools import partial

import pandas as pd
import pytest

from tests.made import ROOT, recipe_of
from vireid.experiments import facts, summary
from vireid.experiments.collect import closest, collect, differences, numbers
from vireid.experiments.comparison_table import write_comparison_table
from vireid.experiments.dvc import Experiment
from vireid.experiments.grid import Grid, load_grid
from vireid.experiments.pairing import paired_difference
from vireid.experiments.plan import make_plan
from vireid.experiments.repetition import Repetition, averaged_over
from vireid.layers import flat, preset_names
from vireid.params import check_section
from vireid.support.errors import UserError

CONF = ROOT / "conf"
PROTOCOL = "synthetic/all_search/single_shot"
REGDB = "synthetic_regdb/visible_to_infrared"
HASH = f"sha256={0:064}"


def planned(table, dataset="synthetic"):
    grid = load_grid(CONF, table)
    presets = {"schedule": "quick", "dataset": dataset}
    return make_plan(grid, table, ROOT / "params.yaml", CONF, presets, grid.rows)


@pytest.fixture(scope="module")
def plan():
    return planned("fprnet/table8")


@pytest.fixture(scope="module")
def regdb():
    """Table 5 on a data set of ten trials."""
    return planned("fprnet/table5", "synthetic_regdb")


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


@pytest.fixture(scope="module")
def experiment(plan):
    """Make an experiment of a row of the plan."""
    return partial(made, plan)


def seeds(*numbers):
    return {Repetition(number, 0) for number in numbers}


def test_experiments_are_sorted_by_row_seed_and_state(plan, experiment):
    found = collect(
        plan,
        [
            experiment("fprnet", 0),
            experiment("fprnet", 10),
            experiment("fprnet", 2, state="queued"),
            experiment("svdnet", 0, state="running"),
            experiment("svdnet", 1, state="failed"),
        ],
    )

    def states(row):
        return set(found[row].finished), found[row].waiting, found[row].failed

    assert states("fprnet") == (seeds(0, 10), seeds(2), set())
    assert states("svdnet") == (set(), seeds(0), seeds(1))
    assert found["resnet50"].finished == {}


@pytest.mark.parametrize("name", ["upset-owl", "", "fprnet-table8-synthetic-demo-fprnet-s1"])
@pytest.mark.parametrize(
    ("state", "group"), [("finished", "finished"), ("queued", "waiting"), ("failed", "failed")]
)
def test_experiment_counts_for_its_parameters_whatever_its_name(plan, experiment, name, state, group):
    found = collect(plan, [experiment("svdnet", 1, name=name, state=state)])
    assert {row for row, part in found.items() if getattr(part, group)} == {"svdnet"}
    assert set(getattr(found["svdnet"], group)) == seeds(1)
    assert all(part.stale == {} for part in found.values())


def test_row_of_one_table_counts_for_the_same_row_of_another(experiment):
    other = planned("fprnet/table6")
    found = collect(other, [experiment("fprnet", 0)])
    assert {row: set(part.finished) for row, part in found.items() if part.finished} == {"full": seeds(0)}


DECIDING = {
    "seed": "x",  # of a failed run
    "method": "baseline",
    "model.fusion_block": False,
    "loss.lambda1": 1.5,
    "train.epochs": 3,
    "train.new": 1,  # of other code
    "ingest.height": 64,
    "superresolve.enabled": True,
    "extract.flip": True,
    "evaluate.embedding": "joint+pool5",
    "evaluate.ranks": [1, 5],
    "evaluate.protocols": [PROTOCOL],
    "dataset.name": "sysu_mm01",
    "dataset.train_on_val": False,
    "dataset.gallery_draw": "official",
}


@pytest.mark.parametrize("key", DECIDING)
def test_experiment_with_another_parameter_that_decides_the_numbers_does_not_count(plan, experiment, key):
    other = experiment("fprnet", 0, params={key: DECIDING[key]}, name="upset-owl")
    assert collect(plan, [other])["fprnet"].finished == {}
    assert collect(plan, [other])["fprnet"].stale == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset.root", "/elsewhere"),
        ("superresolve.iterations", 7),  # SRCNN is off
        ("evaluate.rerank", True),
        ("evaluate.ranks", [1, 2, 10, 20]),
        ("figures.worst_queries", 1),
        ("compute.workers", 9),
    ],
)
def test_experiment_with_another_parameter_that_decides_nothing_counts(plan, experiment, key, value):
    other = experiment("fprnet", 0, params={key: value}, name="upset-owl")
    assert set(collect(plan, [other])["fprnet"].finished) == seeds(0)


def test_folder_tells_data_sets_of_a_manifest_apart():
    plan = planned("fprnet/table8", "manifest")
    here, there = made(plan, "fprnet", 0), made(plan, "fprnet", 1, params={"dataset.root": "/elsewhere"})
    assert set(collect(plan, [here, there])["fprnet"].finished) == seeds(0)


def test_reranked_run_holds_the_plain_numbers_and_no_plain_run_the_reranked_ones(plan, experiment):
    found = collect(plan, [experiment("fprnet_reranking", 0), experiment("fprnet", 1)])
    assert set(found["fprnet_reranking"].finished) == seeds(0)
    assert set(found["fprnet"].finished) == seeds(0, 1)


def test_run_that_was_queued_for_the_row_counts_before_a_later_one(plan, experiment):
    own = experiment("fprnet", 0)
    later = experiment("fprnet_reranking", 0, timestamp="2026-02-01T00:00:00")
    for listed in ([own, later], [later, own]):
        assert collect(plan, listed)["fprnet"].finished == {Repetition(0, 0): own}


def test_latest_of_two_counts_whatever_their_order(plan, experiment):
    late = experiment("fprnet", 0, revision="late", timestamp="2026-02-01T00:00:00")
    for listed in ([experiment("fprnet", 0), late], [late, experiment("fprnet", 0)]):
        assert collect(plan, listed)["fprnet"].finished[Repetition(0, 0)].revision == "late"


def test_what_failed_before_it_finished_or_was_queued_again_has_not_failed(plan, experiment):
    failed = experiment("fprnet", 0, state="failed")
    assert collect(plan, [failed, experiment("fprnet", 0)])["fprnet"].failed == set()
    assert collect(plan, [failed, experiment("fprnet", 0, state="queued")])["fprnet"].failed == set()


@pytest.mark.parametrize(("key", "value"), [("train.epochs", 3), ("extract.flip", True)])
def test_experiment_of_the_plans_name_with_other_parameters_is_left_out_and_named(plan, experiment, key, value):
    other = experiment("fprnet", 0, params={key: value})
    found = collect(plan, [other, experiment("fprnet", 1)])
    assert set(found["fprnet"].finished) == seeds(1)
    assert found["fprnet"].stale == {other.name: f"other {key}"}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert f"Left out, other {key}: {other.name}." in notes


def test_what_is_left_out_is_told_even_where_nothing_counts(plan, experiment):
    others = [experiment("fprnet", seed, params={"train.epochs": 3}) for seed in (1, 0)]
    notes = summary.comparison(plan, collect(plan, others), ["fprnet"], PROTOCOL).notes
    assert f"Left out, other train.epochs: {others[1].name}, {others[0].name}." in notes


@pytest.mark.parametrize("name", ["upset-owl", "fprnet-table8-synthetic-quick-fprnet-s0"])
def test_experiment_with_numbers_of_another_run_is_left_out_and_named(plan, experiment, name):
    found = collect(plan, [experiment("fprnet", 0, name=name, state="partial"), experiment("fprnet", 1)])
    assert set(found["fprnet"].finished) == seeds(1)
    assert (found["fprnet"].waiting, found["fprnet"].failed) == (set(), set())
    notes = summary.comparison(plan, found, ["fprnet"], PROTOCOL).notes
    assert f"Left out, numbers of another run: {name}." in notes


def test_closest_experiment_and_what_keeps_it_from_a_row_are_told(plan, experiment):
    far = {"train.epochs": 3, "train.lr": 1.0, "extract.flip": True, "loss.lambda1": 2.0, "model.upsample": False}
    near = experiment("svdnet", 0, params={"superresolve.enabled": True, "superresolve.camera": 2}, name="owl")
    queued = experiment("svdnet", 0, state="queued")
    told = closest(plan, [experiment("svdnet", 0, params=far), near, queued])
    assert told.endswith("owl is closest to a row, svdnet, but has superresolve.enabled True instead of False.")
    assert closest(plan, [experiment("svdnet", 0, params=far)]).endswith(" and 1 more.")
    assert closest(plan, [queued]) == "There is no finished experiment at all."


def test_experiment_of_another_seed_than_its_name_says_counts_for_its_seed_and_takes_the_name(plan, experiment):
    other = experiment("fprnet", 0, params={"seed": 5})
    found = collect(plan, [other])
    assert set(found["fprnet"].finished) == seeds(5)
    assert found["fprnet"].stale == {other.name: "other seed or trial"}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert not any("Left out" in note for note in notes)


def test_what_may_round_differently_is_told(plan, experiment):
    first, second = experiment("fprnet", 0), experiment("svdnet", 0, params={"compute.threads": 7})
    found = collect(plan, [first, second])
    assert differences(found) == {"compute.threads": [7, first.params["compute.threads"]]}
    notes = summary.comparison(plan, found, list(plan.grid.rows), PROTOCOL).notes
    assert any("compute.threads" in note for note in notes)


@pytest.mark.parametrize(
    ("preset", "model", "told"),
    [
        ("fprnet", {"trunk": {"name": "resnet18", "pretrained": False}}, "resnet18 from a random state."),
        ("fprnet", {"trunk": {"name": "resnet18", "pretrained": True}}, "resnet18 from pretrained weights."),
        (
            "fprnet",
            {"trunk": {"name": "resnet18", "pretrained": f"mine.pth#{HASH}"}},
            f"resnet18 from the weights mine.pth#{HASH}.",
        ),
        ("hpiln_mlfn", {"trunk": {"pretrained": True}}, "a network without a trunk from a random state."),
        ("hpiln_mlfn", {"weights": f"m.pth#{HASH}"}, f"a network without a trunk from the weights m.pth#{HASH}."),
        ("hpiln_res_mid", {"weights": f"m.pth#{HASH}"}, f"resnet10_half from the weights m.pth#{HASH}."),
    ],
)
def test_what_a_training_started_from_is_told(preset, model, told):
    settings = recipe_of(preset)
    for key, value in model.items():
        settings["model"][key] = settings["model"][key] | value if isinstance(value, dict) else value
    (sentence,) = summary._lengths([settings, settings])
    assert sentence.startswith(f"Schedule {settings['schedule']} of {preset}: ")
    assert sentence.endswith(f" pixels, {told}")


def test_fitted_method_is_not_told_to_have_steps():
    (sentence,) = summary._lengths([recipe_of("hog_lfda")])
    assert sentence.endswith("of hog_lfda: fitted in closed form to all training images, 128x64 pixels.")


def test_experiments_of_other_names_are_told(plan, experiment):
    found = collect(plan, [experiment("fprnet", 0), experiment("fprnet", 1, name="upset-owl")])
    notes = summary.comparison(plan, found, ["fprnet"], PROTOCOL).notes
    assert "Counted for their parameters, which are the rows': upset-owl." in notes


def on_regdb(regdb):
    """Two seeds on two trials of two rows; the mAP by hand."""
    values = {(0, 1): (20.0, 18.0), (0, 2): (30.0, 27.0), (1, 1): (22.0, 21.0), (1, 2): (32.0, 30.0)}
    rows = ("full", "without_domains")
    return [
        made(regdb, row, *repetition, mAP=mAP, name=f"owl-{row}-{n}")
        for n, (repetition, pair) in enumerate(values.items())
        for row, mAP in zip(rows, pair, strict=True)
    ]


def test_seeds_are_averaged_in_each_trial_and_paired_by_both(regdb, tmp_path):
    found = collect(regdb, on_regdb(regdb))
    table = summary.comparison(regdb, found, ["full", "without_domains"], REGDB)
    full, without = table.rows
    assert {trial: set(runs) for trial, runs in full.ours.items()} == {
        1: {(0, 1), (1, 1)},
        2: {(0, 2), (1, 2)},
    }
    assert (full.state, without.state) == ("4", "4")
    # Differences -2 and -1 on trial 1, -3 and -2 on trial 2: means -1.5 and -2.5; t(1) at 97.5 % is 12.7062.
    mean, half = paired_difference(without.ours, full.ours, "mAP")
    assert (mean, half) == (pytest.approx(-2), pytest.approx(12.7062 / 2, abs=1e-3))
    write_comparison_table(tmp_path / "table.md", table)
    text = (tmp_path / "table.md").read_text(encoding="utf-8")
    # 20 and 22, 30 and 32: 21 and 31, mean 26, deviation sqrt(50) = 7.07.
    assert "| 26.0 ± 7.1 | 4 |" in text
    assert "mean and standard deviation over the trials 1, 2, each the mean over the seeds 0, 1." in text
    assert "paired by seed and trial" in text
    assert "say nothing about other people" in text
    assert "fprnet/table5 --dataset synthetic_regdb --schedule quick --seeds 0,1 --trials 1,2 --queue" in text


def test_trial_that_one_row_lacks_is_not_compared(regdb):
    lacking = [
        e for e in on_regdb(regdb) if (e.params["dataset.trial"], e.params["model.single_domains"]) != (2, False)
    ]
    table = summary.comparison(regdb, collect(regdb, lacking), ["full", "without_domains"], REGDB)
    full, without = table.rows
    assert (full.state, without.state) == ("4", "2")
    assert paired_difference(without.ours, full.ours, "mAP")[0] == pytest.approx(-1.5)  # of -2 and -1
    said = "that a row shares with the one it is compared with: 'without RGB domain and IR domain' 2 of 2."
    assert any(note.endswith(said) for note in table.notes)


def test_comparison_of_no_paper_says_so():
    gap = planned("fprnet/gap")
    table = summary.comparison(gap, collect(gap, []), list(gap.grid.rows), PROTOCOL)
    assert table.notes[0] == "A comparison of vireid's, of no paper. Percent."
    assert not table.has_paper


def test_rows_of_the_same_runs_need_no_note(regdb):
    table = summary.comparison(regdb, collect(regdb, on_regdb(regdb)), ["full", "without_domains"], REGDB)
    assert not any("same runs" in note for note in table.notes)


def test_trial_is_part_of_the_name_and_of_what_dvc_is_told(regdb):
    assert regdb.name("full", Repetition(0, 2)) == "fprnet-table5-synthetic_regdb-quick-full-s0-t2"
    assert regdb.name("full", Repetition(3, 0)) == "fprnet-table5-synthetic_regdb-quick-full-s3"
    told = regdb.overrides("full", Repetition(3, 2))
    assert {"++seed=3", "++dataset.trial=2", "++dataset.name='synthetic_regdb'"} <= set(told)


@pytest.mark.parametrize(
    ("repetitions", "text"),
    [
        ([(2, 0), (0, 0), (1, 0)], "mean and standard deviation over the seeds 0, 1, 2"),
        ([(0, 2), (0, 1)], "mean and standard deviation over the trials 1, 2 (seed 0)"),
        ([(0, 4), (1, 4)], "mean and standard deviation over the seeds 0, 1 (trial 4)"),
        (
            [(1, 1), (0, 2)],
            "mean and standard deviation over the trials 1, 2, each the mean over the seeds 0, 1",
        ),
        ([(3, 0)], "one run each (seed 3)"),
        ([(3, 7)], "one run each (trial 7, seed 3)"),
    ],
)
def test_what_is_averaged_over_is_said(repetitions, text):
    assert averaged_over([Repetition(*numbers) for numbers in repetitions]) == text


def test_numbers_are_those_of_the_protocol_and_of_the_part_below_it(experiment):
    one = experiment("fprnet", 3)
    assert numbers(one, PROTOCOL, None, ["rank1", "mAP"]) == {"rank1": 13.0, "mAP": 23.0}
    one.metrics["synthetic"]["all_search"]["single_shot"]["reranked"] = {"rank1": 99.0}
    assert numbers(one, PROTOCOL, "reranked", ["rank1"]) == {"rank1": 99.0}


@pytest.mark.parametrize(
    ("protocol", "result"), [("synthetic/x/y", None), (PROTOCOL, "reranked"), (PROTOCOL, "mAP")]
)
def test_missing_numbers_are_an_error(experiment, protocol, result):
    with pytest.raises(UserError, match="it has no rank1"):
        numbers(experiment("fprnet", 0), protocol, result, ["rank1"])


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


def test_table_shows_every_row_with_what_there_is(plan, experiment):
    rows = [experiment("fprnet", 0), experiment("fprnet", 1), experiment("svdnet", 1), experiment("svdnet", 2)]
    rows.append(experiment("resnet50", 0, state="failed"))
    table = summary.comparison(plan, collect(plan, rows), list(plan.grid.rows), PROTOCOL)
    states = {row.label: row.state for row in table.rows}
    assert len(table.rows) == len(plan.grid.rows)
    assert (states["FPRnet"], states["SVDnet"], states["ResNet-50"]) == ("2", "2", "1 failed")
    assert (states["CmGAN"], states["FPRnet + SRCNN"]) == ("not run", "not run")
    references = {row.label: row.reference and row.reference.label for row in table.rows}
    assert references == dict.fromkeys(references, "FPRnet") | {"FPRnet": None}
    reference = next(row.reference for row in table.rows if row.label == "SVDnet")
    assert reference.ours[1][Repetition(1, 0)] == {
        "rank1": 11.0,
        "rank10": 50.0,
        "rank20": 60.0,
        "mAP": 21.0,
    }
    text = "\n".join(table.notes)
    train = plan.settings["fprnet"]["train"]
    batch = 2 * train["num_pids"] * train["num_instances"]
    assert f"{train['epochs']} epochs of 40 steps, batches of {batch}, 128x64 pixels" in text
    assert "over the seeds 0, 1, 2." in text
    assert "say nothing about real cameras" in text
    assert "paired by seed," in text
    assert "vireid experiments fprnet/table8 --dataset synthetic --schedule quick --seeds 0,1,2 --queue" in text
    assert "Started from commit abcdef0." in text


def test_row_that_no_parameters_reach_has_the_papers_numbers_only():
    plan = planned("mutual_prediction/table3")
    table = summary.comparison(plan, collect(plan, []), ["hcml", "cmgan"], PROTOCOL)
    assert [(row.label, row.state) for row in table.rows] == [("HCML", "paper only"), ("cmGAN", "not run")]
    assert table.rows[0].paper


def test_table_of_runs_of_several_commits_says_so(plan, experiment):
    rows = [experiment("fprnet", 0), experiment("fprnet", 1, base="fedcba9876")]
    table = summary.comparison(plan, collect(plan, rows), ["fprnet"], PROTOCOL)
    assert any("abcdef0, fedcba9: the code may differ" in note for note in table.notes)


def test_reference_is_compared_with_even_where_it_is_not_shown(plan, experiment):
    found = collect(plan, [experiment("fprnet", 0), experiment("svdnet", 0)])
    table = summary.comparison(plan, found, ["svdnet"], PROTOCOL)
    assert [row.label for row in table.rows] == ["SVDnet"]
    assert table.rows[0].reference.ours[0][Repetition(0, 0)]["mAP"] == 20.0


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


def test_overview_tells_group_size_and_speed_of_each_method(monkeypatch, tmp_path):
    plan = planned("results/methods")
    numbers = {"baseline": 30.0, "one_stream": 10.0, "hog_lfda": 9.9}
    runs = [made(plan, row, seed, mAP=mean + seed) for row, mean in numbers.items() for seed in range(4)]
    runs[-1].metrics["synthetic"]["all_search"]["single_shot"]["mAP"] += 0.3
    runs[1] = replace(runs[1], base="1234567890")
    for run in runs:
        run.metrics["synthetic"]["all_search"]["single_shot"]["mINP"] = 5.0
    course = pd.Series([4.0, 11.0, 18.0, 20.0], index=[2, 4, 6, 8])
    learnt = {plan.grid.rows[row].label: [course] * 4 for row in ("baseline", "one_stream")}
    monkeypatch.setattr(facts, "training_curves", lambda *_: {("holdout", "mAP"): learnt})
    table = summary.comparison(plan, collect(plan, runs), list(numbers), PROTOCOL)
    told = [list(row.facts.values()) for row in table.rows]
    assert list(table.rows[0].facts) == ["group", "parameters", "epochs to half", "epochs to 90 %", "commit"]
    assert [row[0] for row in told] == ["a", "b", "b"]
    assert [row[2:4] for row in told] == [["4", "6"], ["4", "6"], ["\N{EN DASH}"] * 2]
    assert [row[4] for row in told] == ["abcdef0, 1234567", "abcdef0", "abcdef0"]
    assert 2.9 < float(told[1][1]) <= float(told[0][1]) < 3.1  # EfficientNet-Lite0's trunk, and one with two stems
    assert told[2][1] == "\N{EN DASH}"
    write_comparison_table(tmp_path / "table.md", table)
    lines = (tmp_path / "table.md").read_text().splitlines()
    assert [cell.strip() for cell in lines[2].split("|")][-6:-1] == list(table.rows[0].facts)
    assert any("hold together (Holm)" in line for line in lines)
    assert any("One row, here the first: `vireid experiments results/methods" in line for line in lines)
    assert any("--queue --rows baseline`." in line for line in lines)


def test_every_method_is_in_the_overview():
    rows = load_grid(CONF, "results/methods").rows.values()
    methods = {recipe_of(name)["method"] for name in preset_names(CONF, "method")}
    assert {recipe_of(row.presets["method"])["method"] for row in rows} == methods
