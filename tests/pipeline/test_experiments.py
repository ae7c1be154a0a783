"""A paper's table by real DVC experiments, queued, run and collected in a copy of the project with tiny data."""

import pytest
from ruamel.yaml import YAML

from tests.pipeline.conftest import TINY

pytestmark = pytest.mark.slow

TABLE = "fprnet/table6"
OPTIONS = ("--schedule", "quick", "--rows", "full,double_svd")


@pytest.fixture
def tiny_quick(project):
    """The project with a quick schedule for tiny data, committed, and a table whose ranks are reported."""
    _edit(project.root / "conf/schedule/quick.yaml", lambda v: v["ingest"].update(TINY["ingest"]))
    _edit(project.root / "conf/schedule/quick.yaml", lambda v: v.pop("superresolve"))
    _edit(
        project.root / "conf/method/fprnet.yaml", lambda v: v["schedules"]["quick"]["train"].update(TINY["train"])
    )
    path = project.root / "conf/experiments/fprnet/table6.yaml"
    path.write_text(path.read_text().replace("rank20, mAP]", "mAP]"))
    project.run("git", "commit", "--quiet", "--all", "--message", "tiny")
    yield project
    project.run("git", "reset", "--quiet", "--hard", "HEAD~1")
    project.run("git", "clean", "--quiet", "-d", "--force", "docs")


def _edit(path, change):
    yaml = YAML()
    values = yaml.load(path)
    change(values)
    yaml.dump(values, path)


def test_table_is_queued_run_and_collected(tiny_quick):
    project = tiny_quick
    printed = project.run("vireid", "experiments", TABLE, *OPTIONS, "--seeds", "3", "--queue")
    assert "2 experiments queued" in printed
    assert project.run("git", "status", "--porcelain") == ""
    again = project.run("vireid", "experiments", TABLE, *OPTIONS, "--seeds", "3", "--queue")
    assert "0 experiments queued, 2 already there" in again

    waiting = project.run("vireid", "table", TABLE, *OPTIONS)
    assert waiting.count("1 waiting") == 2

    project.run("dvc", "exp", "run", "--run-all")
    assert project.run("git", "status", "--porcelain") == ""
    outputs = ("--output", "docs/tables/table.md", "--figures", "docs/tables")
    project.run("vireid", "table", TABLE, *OPTIONS, *outputs)
    text = (project.root / "docs/tables/table.md").read_text(encoding="utf-8")
    full, double = (line for line in text.splitlines() if line.startswith(("| FPRnet", "| double SVD")))
    assert full.split("|")[8].strip() == double.split("|")[8].strip() == "1"
    assert double.split("|")[10].strip()[0] in "+-"
    assert "over the seeds 3." in text
    assert "2 epochs of 2 steps, batches of 16, 64x32 pixels" in text
    assert (project.root / "docs/tables/holdout_map.png").is_file()
    assert (project.root / "docs/tables/loss.png").is_file()

    queued = project.run("vireid", "experiments", TABLE, *OPTIONS, "--seeds", "3,4", "--queue")
    assert "2 experiments queued, 2 already there" in queued
    project.run("dvc", "queue", "remove", "--queued")
