"""`vireid experiments` and `vireid table` without DVC: what is checked, queued, refused, shown. CPU, seconds."""

import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.made import ROOT, tree
from tests.refusals import refused
from vireid.cli import app
from vireid.experiments import dvc, training_curves
from vireid.experiments.dvc import Experiment
from vireid.experiments.grid import grids, load_grid
from vireid.experiments.plan import make_plan
from vireid.layers import flat

TABLE = "fprnet/table5"
PREFIX = "fprnet-table5-synthetic-quick"
NUMBERS = {"rank1": 10.0, "rank5": 40.0, "rank10": 50.0, "rank20": 60.0, "mAP": 20.0, "mINP": 5.0}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Parameters and presets in a working directory; `there` is what DVC lists, `queued` what it was told."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "data").mkdir()
    (tmp_path / "data.dvc").touch()
    monkeypatch.chdir(tmp_path)
    there, queued = [], {}
    monkeypatch.setattr(dvc, "all_experiments", lambda: there)
    monkeypatch.setattr(dvc, "queue", queued.__setitem__)
    monkeypatch.setattr(dvc, "untracked_code", lambda: ["src/vireid/new.py"])
    return type("Project", (), {"root": tmp_path, "there": there, "queued": queued})


def run(*options):
    return CliRunner().invoke(app, [str(option) for option in options])


def experiment(row, seed, state="finished", name=None, dataset="synthetic", table=TABLE, **params):
    grid = load_grid(ROOT / "conf", table)
    presets = {"schedule": "quick", "dataset": dataset}
    plan = make_plan(grid, table, ROOT / "params.yaml", ROOT / "conf", presets, grid.rows)
    metrics = {
        "synthetic": {"all_search": {"single_shot": NUMBERS}},
        "synthetic_regdb": {"visible_to_infrared": NUMBERS},
    }
    params = flat(plan.settings[row] | {"seed": seed}) | params
    name = name or f"{plan.prefix}-{row}-s{seed}"
    return Experiment(name, state, "c" * 40, "abcdef0", "2026-01-01", params, metrics)


def test_without_a_name_the_tables_are_listed(project):
    lines = run("experiments").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == grids(ROOT / "conf")
    assert "fprnet/table5: FPRnet without one of its parts" in lines


@pytest.mark.parametrize("arguments", [("experiments",), ("experiments", TABLE), ("table", TABLE)])
def test_folder_without_tables_is_refused(project, monkeypatch, arguments):
    monkeypatch.chdir(project.root / "data")
    refused(run(*arguments), "there are no tables", "no such folder", "run in the root of the project")


def test_listing_queues_nothing_and_leaves_the_parameters(project):
    before = (project.root / "params.yaml").read_bytes()
    result = run("experiments", TABLE, "--schedule", "quick")
    assert result.exit_code == 0, result.output
    assert "without_joint_block" in result.stdout
    assert "18 experiments are missing, 0 there" in result.stdout
    assert project.queued == {}
    assert (project.root / "params.yaml").read_bytes() == before


def test_every_row_is_queued_with_the_same_seeds_and_its_parameters(project):
    before = (project.root / "params.yaml").read_bytes()
    result = run("experiments", TABLE, "--schedule", "quick", "--seeds", "0,4", "--queue")
    assert result.exit_code == 0, result.output
    rows = list(load_grid(ROOT / "conf", TABLE).rows)
    assert list(project.queued) == [f"{PREFIX}-{row}-s{seed}" for seed in (0, 4) for row in rows]
    assert "++model.joint_block=false" in project.queued[f"{PREFIX}-without_joint_block-s4"]
    assert "++seed=4" in project.queued[f"{PREFIX}-full-s4"]
    assert "warning: src/vireid/new.py is unknown to Git" in result.stderr
    assert (project.root / "params.yaml").read_bytes() == before


def test_only_what_is_missing_is_queued(project):
    project.there += [experiment("full", 0), experiment("full", 1, "queued"), experiment("full", 2, "running")]
    project.there += [experiment("without_domains", 0, "failed")]
    options = ("--schedule", "quick", "--rows", "full,without_domains", "--queue")
    assert "3 experiments queued, 3 already there" in run("experiments", TABLE, *options).stdout
    assert set(project.queued) == {f"{PREFIX}-without_domains-s{seed}" for seed in (0, 1, 2)}


def test_what_is_there_under_another_name_is_not_queued(project):
    project.there += [experiment("full", 0, name="upset-owl"), experiment("full", 1, "queued", name="still-owl")]
    options = ("--schedule", "quick", "--rows", "full", "--queue")
    assert "1 experiments queued, 2 already there" in run("experiments", TABLE, *options).stdout
    assert set(project.queued) == {f"{PREFIX}-full-s2"}


@pytest.fixture
def regdb(project):
    """The project with a data set of ten trials."""
    (project.root / "data_regdb.dvc").touch()
    return "--schedule", "quick", "--dataset", "synthetic_regdb", "--rows", "full"


def test_every_seed_is_queued_on_every_trial(project, regdb):
    project.there.append(
        experiment("full", 4, name="upset-owl", dataset="synthetic_regdb", **{"dataset.trial": 2})
    )
    result = run("experiments", TABLE, *regdb, "--seeds", "0,4", "--trials", "2,10", "--queue")
    assert result.exit_code == 0, result.output
    assert "s4-t2" in result.stdout
    names = [f"fprnet-table5-synthetic_regdb-quick-full-s{part}" for part in ("0-t2", "0-t10", "4-t10")]
    assert list(project.queued) == names
    assert {"++seed=4", "++dataset.trial=10"} <= set(project.queued[names[2]])


def test_trial_is_the_parameters_where_none_is_chosen(project, regdb):
    assert run("experiments", TABLE, *regdb, "--seeds", "0", "--queue").exit_code == 0
    assert list(project.queued) == ["fprnet-table5-synthetic_regdb-quick-full-s0-t1"]


@pytest.mark.parametrize(
    ("trials", "named"), [("0", "1 to 10"), ("1,11", "1 to 10"), ("1,1", "--trials"), ("one", "--trials")]
)
def test_trial_that_the_data_set_lacks_is_refused(project, regdb, trials, named):
    refused(run("experiments", TABLE, *regdb, "--trials", trials, "--queue"), named)
    assert project.queued == {}


def test_names_taken_by_other_parameters_are_refused_before_anything_is_queued(project):
    project.there.append(experiment("without_domains", 1, **{"train.epochs": 3}))
    result = run("experiments", TABLE, "--schedule", "quick", "--queue")
    refused(result, f"{PREFIX}-without_domains-s1 (other train.epochs)", "dvc exp rename")
    assert project.queued == {}


def edit(project, old, new):
    path = project.root / "conf" / "experiments" / f"{TABLE}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("model.upsample: false", "model.upsampel: false", "model.upsampel"),
        ("model.upsample: false", "model.upsample.by: 2", "model.upsample.by"),
        ("model.upsample: false", "model.upsample: maybe", "upsample"),
        ("model.upsample: false", "train.epochs: many", "train.epochs"),
        (
            "model.fusion_block: false",
            "model.fusion: {mode: hybrid, features: [r5]}",
            "a matrix of two or more rows",
        ),
        ("method: fprnet", "method: fprnett", "fprnett"),
        ("rank20, mAP]", "rank30, mAP]", "ranks that hold 30"),
    ],
)
def test_wrong_row_is_named_before_anything_is_queued(project, old, new, named):
    edit(project, old, new)
    result = run("experiments", TABLE, "--schedule", "quick", "--queue")
    refused(result, named, "row ")
    assert project.queued == {}


def test_all_wrong_rows_are_named_at_once(project):
    edit(project, "model.upsample: false", "model.upsampel: false")
    edit(project, "model.joint_block: false", "model.joint_blok: false")
    refused(run("experiments", TABLE), "2 of 6 rows", "row without_upsampling", "row without_joint_block")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("fprnet/table7",), "fprnet/table5"),
        (("../method/fprnet",), "fprnet/table5"),
        ((TABLE, "--rows", "full,ful"), "without_domains"),
        (("mutual_prediction/table3", "--rows", "hcml"), "zero_pad, cmgan"),
        ((TABLE, "--seeds", "0,x"), "0,x"),
        ((TABLE, "--seeds", "1,1"), "1,1"),
        ((TABLE, "--seeds", ""), "seeds"),
        ((TABLE, "--trials", "1"), "has no trials"),
        ((TABLE, "--schedule", "slow"), "quick"),
        ((TABLE, "--dataset", "market"), "regdb"),
        ((TABLE, "--conf", "nowhere"), "run in the root of the project"),
    ],
)
def test_wrong_option_is_refused(project, options, named):
    refused(run("experiments", *options, "--queue"), named)
    assert project.queued == {}


def test_row_without_values_for_the_schedule_is_refused(project):
    path = project.root / "conf" / "experiments" / "fprnet" / "table6.yaml"
    path.write_text(
        path.read_text().replace("quick: {model.fusion_dims: [64]}", "slow: {model.fusion_dims: [64]}")
    )
    refused(
        run("experiments", "fprnet/table6", "--schedule", "quick"), "row single_svd", "slow, scratch, demo, paper"
    )


def test_placeholder_of_a_data_sets_root_is_refused(project):
    result = run("experiments", TABLE, "--dataset", "sysu_mm01", "--queue")
    refused(result, "/path/to/SYSU-MM01", "repeat this command")
    assert project.queued == {}


def test_data_set_of_the_parameters_keeps_its_folder_where_it_is_named_again(project):
    file = project.root / "params.yaml"
    (project.root / "elsewhere").mkdir()
    file.write_text(file.read_text().replace("root: data\n", f"root: {project.root}/elsewhere\n"))
    result = run("experiments", TABLE, "--dataset", "synthetic", "--rows", "full", "--seeds", "0", "--queue")
    assert result.exit_code == 0, result.output
    assert not any("dataset" in value for values in project.queued.values() for value in values)


@pytest.mark.parametrize(("option", "expected"), [("--schedule", "demo, paper, quick"), ("--dataset", "regdb")])
@pytest.mark.parametrize("command", ["experiments", "table"])
def test_mistyped_preset_is_named_once(project, command, option, expected):
    result = run(command, TABLE, option, "quik")
    refused(result, "there is no such preset", expected, "quik")
    assert result.stderr.count("quik") == 1


def test_data_that_a_queued_copy_would_lack_is_refused(project):
    (project.root / "data_regdb").mkdir()
    result = run("experiments", TABLE, "--dataset", "synthetic_regdb", "--queue")
    refused(result, str(project.root / "data_regdb"), "copies of the project")
    assert project.queued == {}


def test_data_that_dvc_tracks_need_not_be_checked_out(project):
    (project.root / "data").rmdir()
    assert run("experiments", TABLE, "--seeds", "0", "--queue").exit_code == 0
    assert len(project.queued) == len(load_grid(ROOT / "conf", TABLE).rows)


def test_table_is_written_with_missing_rows(project):
    project.there += [experiment("full", 0), experiment("without_domains", 0)]
    result = run("table", TABLE, "--schedule", "quick", "--output", "docs/table.md")
    assert result.exit_code == 0, result.output
    text = (project.root / "docs" / "table.md").read_text(encoding="utf-8")
    assert text.count("not run") == 4
    assert "| FPRnet | 29.28 |" in text
    assert "| 20.0 | 1 | -3.92 | +0.0 |" in text


def test_table_averages_the_trials_of_a_sweep(project):
    for trial in (1, 2):
        params = {"dataset.trial": trial, "dataset.root": "/where/it/lies"}
        project.there.append(experiment("full", 0, name=f"owl-{trial}", dataset="synthetic_regdb", **params))
    result = run("table", TABLE, "--schedule", "quick", "--dataset", "synthetic_regdb", "--output", "table.md")
    assert result.exit_code == 0, result.output
    text = (project.root / "table.md").read_text(encoding="utf-8")
    for said in (" 20.0 \N{PLUS-MINUS SIGN} 0.0 | 2 |", "over the trials 1, 2 (seed 0)", "owl-1, owl-2"):
        assert said in text
    assert "over the trials 1, 2 (seed 0)" in result.stdout


def test_table_without_experiments_says_so_and_what_comes_closest(project):
    result = run("table", TABLE)
    assert result.exit_code == 0, result.output
    assert "No experiment of this table has finished" in result.stdout
    project.there.append(experiment("full", 0, name="upset-owl", **{"superresolve.enabled": True}))
    said = "upset-owl is closest to a row, full, but has superresolve.enabled True instead of False"
    assert said in run("table", TABLE, "--schedule", "quick").stdout


def test_protocol_that_is_not_evaluated_is_refused(project):
    refused(run("table", TABLE, "--protocol", "regdb/visible_to_infrared"), "synthetic/all_search/single_shot")


def test_command_outside_a_project_says_what_dvc_said(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    refused(run("table", TABLE, "--conf", ROOT / "conf"), "not inside of a DVC")


def test_missing_parameters_are_refused(project):
    (project.root / "params.yaml").unlink()
    refused(run("experiments", TABLE, "--queue"), "params.yaml: the file is missing")


def test_comparison_of_all_methods_is_written_and_drawn(project, monkeypatch):
    @contextmanager
    def recorded(run, path):
        yield ROOT / path

    monkeypatch.setattr(training_curves, "files_of", recorded)
    methods = ("baseline", "agw")
    project.there += [experiment(row, seed, table="results/methods") for row in methods for seed in (0, 1)]
    written = ("--output", "table.md", "--figures", "drawn")
    result = run("table", "results/methods", "--schedule", "quick", "--rows", ",".join(methods), *written)
    assert result.exit_code == 0, result.output
    assert "| agw | 47.50 | 47.65 | 10.0 ± 0.0 | 5.0 ± 0.0 | 20.0 ± 0.0 | 2 |" in Path("table.md").read_text()
    drawn = tree(Path("drawn"))
    assert drawn.keys() == {"cmc.png", "holdout_map.png", "rows.png"}
    table = Path("table.md").read_bytes()
    run("table", "results/methods", "--schedule", "quick", "--rows", ",".join(methods), *written)
    assert (Path("table.md").read_bytes(), tree(Path("drawn"))) == (table, drawn)
    monkeypatch.setattr("vireid.commands.table._LINES", 1)
    result = run("table", "results/methods", "--schedule", "quick", "--figures", "few")
    assert "not drawn, 2 lines cannot be told apart, choose some with --rows: cmc.png" in result.stdout
    assert tree(Path("few")).keys() == {"rows.png"}
