"""What a table of experiments says: rows, differences and the notes below. CPU, seconds."""

from dataclasses import replace

import pandas as pd
import pytest

from tests.experiments.made import CONF, PROTOCOL, REGDB, made, planned
from tests.made import recipe_of
from vireid.experiments import facts, summary
from vireid.experiments.collect import collect, differences
from vireid.experiments.comparison_table import write_comparison_table
from vireid.experiments.grid import load_grid
from vireid.experiments.pairing import paired_difference
from vireid.experiments.repetition import Repetition, averaged_over
from vireid.layers import preset_names

HASH = f"sha256={0:064}"


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
    assert sentence.endswith(
        "of hog_lfda: fitted in closed form to 8 images of each training identity and spectrum, 128x64 pixels."
    )


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
    assert any("corrected for the number of rows compared with it (Holm)" in line for line in lines)
    assert any("One row, here the first: `vireid experiments results/methods" in line for line in lines)
    assert any("--queue --rows baseline`." in line for line in lines)


def test_every_method_is_in_the_overview():
    rows = load_grid(CONF, "results/methods").rows.values()
    methods = {recipe_of(name)["method"] for name in preset_names(CONF, "method")}
    assert {recipe_of(row.presets["method"])["method"] for row in rows} == methods
