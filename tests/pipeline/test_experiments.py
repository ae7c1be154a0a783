"""A paper's table over two trials by real DVC experiments, queued, run and collected in a copy with tiny data."""

import shutil

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.slow

TABLE = "fprnet/table6"
OPTIONS = ("--schedule", "smoke", "--rows", "full,double_svd")
SIZES = {"train-ids": 10, "val-ids": 2, "test-ids": 6, "visible-images": 2, "infrared-images": 2, "workers": 1}


@pytest.fixture
def on_regdb(project):
    """The project on a tiny RegDB, committed, and a table whose ranks are reported."""
    path = project.root / "conf/experiments/fprnet/table6.yaml"
    path.write_text(path.read_text().replace("rank20, mAP]", "mAP]"))
    data = project.root / "data_regdb"
    sizes = [part for name, value in SIZES.items() for part in (f"--{name}", str(value))]
    project.run("vireid", "synthesize", str(data), "--layout", "regdb", *sizes)
    project.run("vireid", "preset", "dataset=synthetic_regdb", "superresolve=off")
    _edit(project.root / "params.yaml", lambda v: v["dataset"].update(root=str(data)))
    project.run("git", "commit", "--quiet", "--all", "--message", "tiny")
    yield project
    shutil.rmtree(data)
    project.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    project.run("git", "clean", "--quiet", "-d", "--force", "docs")


def _edit(path, change):
    yaml = YAML()
    values = yaml.load(path)
    change(values)
    yaml.dump(values, path)


def test_sweep_over_trials_and_queued_rows_are_run_and_collected(on_regdb):
    project = on_regdb
    project.run("dvc", "exp", "run", "--queue", "-S", "seed=3", "-S", "dataset.trial=range(1,3)")
    queue = ("vireid", "experiments", TABLE, *OPTIONS, "--seeds", "3", "--queue", "--trials")
    assert "1 experiments queued, 1 already there" in project.run(*queue, "1")
    assert project.run("git", "status", "--porcelain") == ""
    assert "0 experiments queued, 2 already there" in project.run(*queue, "1")
    waiting = project.run("vireid", "table", TABLE, *OPTIONS)
    assert "2 waiting" in waiting
    assert "1 waiting" in waiting

    project.run("dvc", "exp", "run", "--run-all", "--jobs", "3")
    assert project.run("git", "status", "--porcelain") == ""
    outputs = ("--output", "docs/tables/table.md", "--figures", "docs/tables")
    project.run("vireid", "table", TABLE, *OPTIONS, *outputs)
    text = (project.root / "docs/tables/table.md").read_text(encoding="utf-8")
    full, double = (line.split("|") for line in text.splitlines() if line.startswith(("| FPRnet", "| double SVD")))
    assert (full[8].strip(), double[8].strip()) == ("2", "1")
    assert "\N{PLUS-MINUS SIGN}" in full[7]
    assert double[10].strip()[0] in "+-"
    assert "over the trials 1, 2 (seed 3)." in text
    assert "2 epochs of 5 steps, batches of 8, 96x48 pixels" in text
    assert (project.root / "docs/tables/holdout_map.png").is_file()
    assert (project.root / "docs/tables/loss.png").is_file()

    listed = project.run(*queue, "1,2")
    assert "s3-t1, s3-t2" in listed
    assert "1 experiments queued, 3 already there" in listed
    project.run("dvc", "queue", "remove", "--queued")

    # Its numbers are those of another run.
    project.run("dvc", "exp", "run", "--name", "trained", "-S", "seed=4", "train")
    printed = project.run("vireid", "table", TABLE, *OPTIONS)
    assert "over the trials 1, 2 (seed 3)." in printed
    assert "Left out, numbers of another run: trained." in printed
