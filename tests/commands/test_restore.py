"""`vireid restore` in a small real DVC project: what comes back, and that nothing is lost. CPU, half a minute."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.made import tree
from vireid.cli import app

pytestmark = pytest.mark.slow

PIPELINE = """
stages:
  train:
    cmd:
      - mkdir -p artifacts/model results/train
      - cp params.yaml artifacts/model/weights
      - cp params.yaml results/train/curve
    params: [lr]
    outs: [artifacts/model]
    plots: [results/train: {cache: false}]
  extract:
    cmd:
      - mkdir -p results
      - cat artifacts/model/weights > artifacts/features
      - cp params.yaml results/metrics.yaml
    deps: [artifacts/model]
    outs: [artifacts/features]
    metrics: [results/metrics.yaml: {cache: false}]
"""


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def dvc(*arguments):
    return run(sys.executable, "-m", "dvc", *arguments)


def commit(message):
    run("git", "add", ".")
    run("git", "commit", "--quiet", "--message", message)


def restore(*name):
    return CliRunner().invoke(app, ["restore", *name])


def outcome():
    """Everything that a run makes, and what it was made with."""
    made = {name: path for folder in ("artifacts", "results") for name, path in tree(Path(folder)).items()}
    return made | {name: Path(name).read_bytes() for name in ("params.yaml", "dvc.lock")}


@pytest.fixture
def author(tmp_path, monkeypatch):
    """The author's project, whose last commit is a run with lr 1; the working directory."""
    root = tmp_path / "author"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site-cache"))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    run("git", "init", "--quiet")
    for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        run("git", "config", key, value)
    dvc("init", "--quiet")
    Path("dvc.yaml").write_text(PIPELINE)
    set_lr(1)
    dvc("repro")
    commit("run")
    return root


@pytest.fixture
def clone(author, monkeypatch):
    """A user's clone on another machine: the author's lock file, and a cache of its own; the working directory."""
    root = author.with_name("clone")
    run("git", "clone", "--quiet", str(author), str(root))
    monkeypatch.chdir(root)
    for key, value in (("user.name", "User"), ("user.email", "user@example.org")):
        run("git", "config", key, value)
    return root


def set_lr(value):
    Path("params.yaml").write_text(f"lr: {value}\n")


def processor_rounds_differently():
    """Let the same parameters give other bytes."""
    path = Path("dvc.yaml")
    path.write_text(path.read_text().replace("cp params.yaml artifacts", "cp dvc.yaml artifacts"))
    commit("another processor")


def test_last_commit_comes_back_after_an_experiment_and_a_failed_stage(author):
    before = outcome()
    dvc("exp", "run", "-S", "lr=2")
    assert outcome() != before
    Path("results/train/left").write_text("by another run")
    Path("results/notes.txt").write_text("the user's own")
    shutil.rmtree("artifacts/model")
    result = restore()
    assert result.exit_code == 0, result.output
    assert "restored: HEAD" in result.stdout
    assert outcome() == before | {"notes.txt": b"the user's own"}
    assert run("git", "status", "--porcelain") == "?? results/notes.txt\n"


def test_nothing_is_changed_where_no_outputs_are_in_the_cache(clone):
    set_lr(7)
    before = tree(clone)
    result = restore()
    assert result.exit_code == 1
    for part in ("artifacts/model, artifacts/features not in the cache", "nothing was changed", "make repro"):
        assert part in result.stderr
    assert {k: v for k, v in tree(clone).items() if ".dvc/" not in k} == {
        k: v for k, v in before.items() if ".dvc/" not in k
    }


def test_half_of_the_outputs_is_as_good_as_none(author):
    set_lr(3)
    dvc("repro")
    before = outcome()
    digest = next(line.split()[1] for line in run("git", "show", "HEAD:dvc.lock").splitlines() if ".dir" in line)
    (author / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).unlink()
    result = restore()
    assert result.exit_code == 1
    assert "artifacts/model not in the cache" in result.stderr
    assert outcome() == before


def test_folder_of_which_one_file_is_gone_is_not_there(author):
    digests = {path.parent.name + path.name for path in (author / ".dvc/cache/files/md5").glob("*/*")}
    (weights,) = [
        d for d in digests if (author / ".dvc/cache/files/md5" / d[:2] / d[2:]).read_bytes() == b"lr: 1\n"
    ]
    (author / ".dvc/cache/files/md5" / weights[:2] / weights[2:]).unlink()
    assert "artifacts/model, artifacts/features not" in restore().stderr


def test_unsaved_run_of_another_machine_is_kept_and_its_commit_is_what_comes_back(clone):
    processor_rounds_differently()
    dvc("repro")
    mine = outcome()
    dvc("exp", "run", "-n", "mine", "-S", "lr=5")
    set_lr(1)
    dvc("repro")
    assert outcome() == mine
    result = restore()
    assert result.exit_code == 1
    for part in ("yours is in no commit", "vireid restore mine", "git commit", "dvc exp save --name mine"):
        assert part in result.stderr
    assert outcome() == mine

    commit("mine")
    set_lr(9)
    assert "restored: HEAD" in restore().stdout
    assert outcome() == mine


def test_newest_experiment_of_ones_own_comes_back_where_the_commit_cannot(clone):
    processor_rounds_differently()
    dvc("exp", "run", "-n", "mine", "-S", "lr=5")
    mine = outcome()
    shutil.rmtree("artifacts/model")
    set_lr(-1)
    result = restore()
    assert result.exit_code == 0, result.output
    assert "HEAD cannot be restored" in result.stdout
    assert "restored: mine" in result.stdout
    assert outcome() == mine


def test_run_is_restored_by_name(author):
    dvc("exp", "run", "-n", "two", "-S", "lr=2")
    two = outcome()
    dvc("exp", "run", "-n", "three", "-S", "lr=3")
    assert restore("two").exit_code == 0
    assert outcome() == two
    result = restore("four")
    assert result.exit_code == 1
    assert "three, two" in result.stderr
    assert outcome() == two


def test_output_that_only_the_workspace_has_is_not_overwritten(author):
    for name in ("artifacts/features", "artifacts/model/weights"):
        Path(name).write_text("made by hand")
    set_lr(4)
    before = outcome()
    result = restore()
    assert result.exit_code == 1
    assert "found:    artifacts/features, artifacts/model/weights; nothing was changed" in result.stderr
    assert "move them to a folder outside of artifacts" in result.stderr
    assert outcome() == before


def test_outside_the_root_it_says_so(author, monkeypatch):
    monkeypatch.chdir(author / "artifacts")
    result = restore()
    assert result.exit_code == 1
    assert f"cd {author}" in result.stderr
