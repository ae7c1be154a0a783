"""`vireid results`: the numbers of the workspace, the last commit and the experiments. CPU, seconds."""

import json
import os
import subprocess

import pytest
from typer.testing import CliRunner

from vireid.cli import app


def git(*arguments):
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def metrics(rank1, mean_ap, **more):
    single = {"rank1": rank1, "rank20": 99.99, "mAP": mean_ap, "mINP": 1.0} | more
    return json.dumps({"synthetic": {"all_search": {"single_shot": single}, "indoor_search": {"rank1": 1.0}}})


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A repository with a commit and two experiments, as DVC keeps them; one has the commit's numbers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    git("init", "--quiet")
    for key, value in (("user.name", "Test"), ("user.email", "test@example.org")):
        git("config", key, value)
    (tmp_path / "results").mkdir()
    write(tmp_path, metrics(27.2, 31.61))
    commit()
    base = git("rev-parse", "HEAD")
    for day, (name, content) in enumerate({"better": metrics(100.0, 55.5), "same": metrics(27.2, 31.61)}.items()):
        write(tmp_path, content)
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2030-01-0{1 + day}T00:00:00")
        commit()
        git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", "HEAD")
        git("reset", "--quiet", "--hard", base)
    git("update-ref", "refs/exps/exec/EXEC_HEAD", base)
    write(tmp_path, metrics(16.666, 0.5, reranked={"rank1": 17.0, "mAP": 0.75}))
    return tmp_path


def write(root, content):
    (root / "results" / "metrics.json").write_text(content)


def commit():
    git("add", ".")
    git("commit", "--quiet", "--allow-empty", "--message", "x")


def results(*options):
    return CliRunner().invoke(app, ["results", *options])


def rows(text):
    return [line.split() for line in text.splitlines() if line.split()[1:] and line.strip()[-1].isdigit()]


def test_workspace_commit_and_experiments_are_shown_by_protocol(project):
    result = results()
    assert result.exit_code == 0, result.output
    assert rows(result.stdout) == [
        ["workspace", "16.67", "0.50"],
        ["HEAD", "27.20", "31.61"],
        ["same", "(as", "its", "base)", "27.20", "31.61"],
        ["better", "100.00", "55.50"],
        ["workspace", "17.00", "0.75"],
    ]
    assert "synthetic/all_search/single_shot" in result.stdout
    assert "synthetic/all_search/single_shot/reranked" in result.stdout


@pytest.mark.parametrize("columns", ["30", "40", "80", "200"])
def test_digits_are_never_cut(project, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    text = results().stdout
    for number in ("16.67", "27.20", "31.61", "100.00", "55.50", "0.75"):
        assert number in text
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_protocols_can_be_chosen(project):
    assert rows(results("--protocol", "reranked").stdout) == [["workspace", "17.00", "0.75"]]
    assert "no result of a protocol with regdb" in results("--protocol", "regdb").stdout


def test_result_that_a_failed_stage_removed_is_left_out(project):
    (project / "results" / "metrics.json").unlink()
    assert "workspace" not in results().stdout


def test_outside_the_root_it_says_so(project, monkeypatch):
    monkeypatch.chdir(project / "results")
    result = results()
    assert result.exit_code == 1
    assert "root of the project" in result.stderr
