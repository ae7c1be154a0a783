"""`vireid experiments` and `vireid table` without DVC: what is checked, queued, refused, shown. CPU, seconds."""

import shutil

import pytest
from typer.testing import CliRunner

from tests.made import ROOT
from vireid.cli import app
from vireid.experiments import dvc
from vireid.experiments.dvc import Experiment
from vireid.experiments.grid import load_grid
from vireid.experiments.plan import make_plan
from vireid.presets import flat

TABLE = "fprnet/table5"
PREFIX = "fprnet-table5-synthetic-quick"
NUMBERS = {"rank1": 10.0, "rank5": 40.0, "rank10": 50.0, "rank20": 60.0, "mAP": 20.0}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Parameters and presets in a working directory; `there` is what DVC lists, `queued` what it was told."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    there, queued = [], {}
    monkeypatch.setattr(dvc, "all_experiments", lambda: there)
    monkeypatch.setattr(dvc, "queue", queued.__setitem__)
    monkeypatch.setattr(dvc, "untracked_code", lambda: ["src/vireid/new.py"])
    return type("Project", (), {"root": tmp_path, "there": there, "queued": queued})


def run(*options):
    return CliRunner().invoke(app, [str(option) for option in options])


def experiment(row, seed, state="finished", **params):
    grid = load_grid(ROOT / "conf", TABLE)
    plan = make_plan(grid, TABLE, ROOT / "params.yaml", ROOT / "conf", {"schedule": "quick"}, grid.rows)
    metrics = {"synthetic": {"all_search": {"single_shot": NUMBERS}}}
    params = flat(plan.settings[row] | {"seed": seed}) | params
    return Experiment(f"{PREFIX}-{row}-s{seed}", state, "c" * 40, "abcdef0", "2026-01-01", params, metrics)


def fails(result, *parts):
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    for part in ("expected:", "found:", "remedy:", *parts):
        assert part in result.stderr


def test_without_a_name_the_tables_are_listed(project):
    lines = run("experiments").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [f"fprnet/table{n}" for n in (3, 4, 5, 6, 8)]


def test_listing_queues_nothing_and_leaves_the_parameters(project):
    before = (project.root / "params.yaml").read_bytes()
    result = run("experiments", TABLE, "--schedule", "quick")
    assert result.exit_code == 0, result.output
    assert "without_joint_block" in result.stdout
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


def test_names_taken_by_other_parameters_are_refused_before_anything_is_queued(project):
    project.there.append(experiment("without_domains", 1, **{"train.epochs": 3}))
    result = run("experiments", TABLE, "--schedule", "quick", "--queue")
    fails(result, f"{PREFIX}-without_domains-s1", "dvc exp rename")
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
        ("rank20, mAP]", "rank30, mAP]", "rank30"),
    ],
)
def test_wrong_row_is_named_before_anything_is_queued(project, old, new, named):
    edit(project, old, new)
    result = run("experiments", TABLE, "--schedule", "quick", "--queue")
    fails(result, named, "row ")
    assert project.queued == {}


def test_all_wrong_rows_are_named_at_once(project):
    edit(project, "model.upsample: false", "model.upsampel: false")
    edit(project, "model.joint_block: false", "model.joint_blok: false")
    fails(run("experiments", TABLE), "2 of 5 rows", "row without_upsampling", "row without_joint_block")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("fprnet/table7",), "fprnet/table5"),
        (("../method/fprnet",), "fprnet/table5"),
        ((TABLE, "--rows", "full,ful"), "without_domains"),
        ((TABLE, "--seeds", "0,x"), "0,x"),
        ((TABLE, "--seeds", "1,1"), "1,1"),
        ((TABLE, "--seeds", ""), "seeds"),
        ((TABLE, "--schedule", "slow"), "quick"),
        ((TABLE, "--dataset", "market"), "regdb"),
        ((TABLE, "--conf", "nowhere"), "run in the root of the project"),
    ],
)
def test_wrong_option_is_refused(project, options, named):
    fails(run("experiments", *options, "--queue"), named)
    assert project.queued == {}


def test_row_without_values_for_the_schedule_is_refused(project):
    path = project.root / "conf" / "experiments" / "fprnet" / "table6.yaml"
    path.write_text(
        path.read_text().replace("quick: {model.fusion_dims: [64]}", "slow: {model.fusion_dims: [64]}")
    )
    fails(run("experiments", "fprnet/table6", "--schedule", "quick"), "row single_svd", "slow, demo, paper")


def test_data_set_is_part_of_the_names(project):
    (project.root / "data_regdb").mkdir()
    options = ("--schedule", "quick", "--dataset", "synthetic_regdb", "--rows", "full", "--seeds", "0", "--queue")
    assert run("experiments", TABLE, *options).exit_code == 0
    assert list(project.queued) == ["fprnet-table5-synthetic_regdb-quick-full-s0"]


def test_placeholder_of_a_data_sets_root_is_refused(project):
    result = run("experiments", TABLE, "--dataset", "sysu_mm01", "--queue")
    fails(result, "/path/to/SYSU-MM01", "leave --dataset out")
    assert project.queued == {}


def test_data_that_dvc_tracks_need_not_be_checked_out(project):
    (project.root / "data").rmdir()
    (project.root / "data.dvc").touch()
    assert run("experiments", TABLE, "--seeds", "0", "--queue").exit_code == 0
    assert len(project.queued) == 5


def test_table_is_written_with_missing_rows(project):
    project.there += [experiment("full", 0), experiment("without_domains", 0)]
    result = run("table", TABLE, "--schedule", "quick", "--output", "docs/table.md")
    assert result.exit_code == 0, result.output
    text = (project.root / "docs" / "table.md").read_text(encoding="utf-8")
    assert text.count("not run") == 3
    assert "| FPRnet | 29.28 |" in text
    assert "| 20.0 | 1 | -3.92 | +0.0 |" in text


def test_table_without_experiments_says_so(project):
    result = run("table", TABLE)
    assert result.exit_code == 0, result.output
    assert "No experiment of this table has finished" in result.stdout


def test_protocol_that_is_not_evaluated_is_refused(project):
    fails(run("table", TABLE, "--protocol", "regdb/visible_to_infrared"), "synthetic/all_search/single_shot")


def test_command_outside_a_project_says_what_dvc_said(tmp_path, monkeypatch):
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    fails(run("table", TABLE, "--conf", ROOT / "conf"), "not inside of a DVC")


def test_missing_parameters_are_refused(project):
    (project.root / "params.yaml").unlink()
    fails(run("experiments", TABLE, "--queue"), "params.yaml: the file is missing")
