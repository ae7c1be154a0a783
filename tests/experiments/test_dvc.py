"""What DVC and Git say, as experiments and files; answers are of the shape that DVC 3.67 gave. CPU, seconds."""

import json
import subprocess
import sys
from copy import deepcopy

import pytest

from vireid.experiments import dvc
from vireid.support.errors import UserError


def entry(name, revision, executor, data=True):
    metrics = {"results/metrics.json": {"data": {"synthetic": {"mAP": 3.5}}}, "results/superresolve.json": {}}
    params = {"params.yaml": {"data": {"seed": 1, "train": {"lr": 0.1, "milestones": [3]}}}}
    found = {"timestamp": "2026-11-20T14:53:55", "params": params, "metrics": metrics}
    return {
        "name": name,
        "revs": [{"rev": revision, "name": name, "data": found if data else None, "error": None}],
        "executor": executor,
    }


LOCK = {
    "train": {
        "params": {"params.yaml": {"seed": 1, "train": {"lr": 0.1, "milestones": [3]}}},
        "outs": [{"path": "artifacts/model", "md5": "m"}],
    },
    "extract": {
        "deps": [{"path": "src/x.py", "md5": "x"}, {"path": "artifacts/model", "md5": "m"}],
        "outs": [{"path": "artifacts/features.h5", "md5": "f"}],
    },
    "evaluate": {"deps": [{"path": "artifacts/features.h5", "md5": "f"}]},
    "figures": {"deps": [{"path": "artifacts/features.h5", "md5": "of another run"}]},
}


@pytest.fixture
def answer(monkeypatch):
    """Let DVC answer with the experiments of one commit."""

    def say(*entries, lock=LOCK):
        monkeypatch.setattr(dvc, "locked", lambda revision: lock)
        listed = [
            {"rev": "workspace", "name": None, "experiments": None},
            {"rev": "base", "name": "main", "experiments": list(entries)},
        ]
        monkeypatch.setattr(dvc, "dvc", lambda *arguments: json.dumps(listed))

    return say


def test_experiments_have_state_parameters_and_metrics(answer):
    states = ("success", "failed", "queued", "running")
    answer(*(entry(state, state[0], {"state": state}) for state in states), entry("by hand", "b", None))
    found = dvc.all_experiments()
    assert [e.state for e in found] == ["finished", "failed", "queued", "running", "finished"]
    assert [e.revision for e in found] == ["s", "f", "q", "r", "b"]
    assert {e.base for e in found} == {"base"}
    assert found[0].params == {"seed": 1, "train.lr": 0.1, "train.milestones": [3]}
    assert found[0].metrics == {"synthetic": {"mAP": 3.5}}


def test_experiment_whose_process_is_gone_has_failed(answer):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    code = "import time; time.sleep(60)"
    with (
        subprocess.Popen([sys.executable, "-c", code, "dvc", "exec-run"]) as at_work,
        subprocess.Popen([sys.executable, "-c", code]) as other,  # which has the number of one that is gone
    ):
        pids = {"at work": at_work.pid, "gone": int(ended.stdout), "another's": other.pid}
        answer(*(entry(name, name[0], {"state": "running", "local": {"pid": pid}}) for name, pid in pids.items()))
        states = {experiment.name: experiment.state for experiment in dvc.all_experiments()}
        at_work.kill()
        other.kill()
    assert states == {"at work": "running", "gone": "failed", "another's": "failed"}


def test_entry_without_data_is_passed_over(answer):
    answer(entry("lost", "l", {"state": "queued"}, data=False), entry("kept", "k", None))
    assert [e.name for e in dvc.all_experiments()] == ["kept"]


def put(lock, *keys, value):
    changed = deepcopy(lock)
    *parts, last = keys
    node = changed
    for part in parts:
        node = node[part]
    node[last] = value
    return changed


@pytest.mark.parametrize(
    "lock",
    [
        put(LOCK, "train", "params", "params.yaml", "seed", value=0),
        put(LOCK, "train", "params", "params.yaml", "train", value={"lr": 0.1}),
        put(LOCK, "train", "params", "params.yaml", "train", "gone", value=1),
        put(LOCK, "train", "outs", 0, "md5", value="new"),  # after `dvc exp run train`
        put(LOCK, "extract", "outs", 0, "md5", value="new"),
        {name: stage for name, stage in LOCK.items() if name != "evaluate"},
        {},
    ],
)
def test_experiment_with_numbers_of_another_run_is_partial(answer, lock):
    answer(entry("one", "o", None), entry("waiting", "w", {"state": "queued"}), lock=lock)
    assert [e.state for e in dvc.all_experiments()] == ["partial", "queued"]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A Git repository with one commit, as the working directory; returns that commit as an experiment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "cmc.csv").write_text("rank\n1\n")
    (tmp_path / "src").mkdir()
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for command in (("init", "--quiet"), ("add", "."), (*identity, "commit", "--quiet", "--message", "x")):
        subprocess.run(["git", *command], check=True)
    revision = subprocess.run(["git", "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    return dvc.Experiment("one", "finished", revision.stdout.strip(), "base", "", {}, {})


def test_files_of_an_experiment_are_those_of_its_commit(repository, tmp_path):
    (tmp_path / "results" / "cmc.csv").write_text("changed since\n")
    with dvc.files_of(repository, "results") as folder:
        assert (folder / "cmc.csv").read_text() == "rank\n1\n"
    assert not folder.exists()


def test_lock_is_that_of_the_commit(repository, tmp_path):
    assert dvc.locked(repository.revision) == {}
    (tmp_path / "dvc.lock").write_text("schema: '2.0'\nstages:\n  train:\n    cmd: x\n")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for command in (("add", "."), (*identity, "commit", "--quiet", "--message", "y")):
        subprocess.run(["git", *command], check=True)
    assert dvc.locked("HEAD") == {"train": {"cmd": "x"}}
    assert dvc.locked(repository.revision) == {}


def test_files_that_an_experiment_lacks_are_an_error(repository):
    with pytest.raises(UserError, match="dvc exp rename one NAME"), dvc.files_of(repository, "results/train"):
        pass


def test_queued_experiment_finds_what_is_tracked_or_absolute(repository, tmp_path):
    assert dvc.finds("results")
    assert dvc.finds(str(tmp_path))
    assert not dvc.finds("src")  # there, but empty to Git
    assert not dvc.finds("nowhere")
    assert not dvc.finds("/nowhere")
    (tmp_path / "src.dvc").touch()
    assert dvc.finds("src")
    assert dvc.finds("src/")


def test_code_unknown_to_git_is_found(repository, tmp_path):
    (tmp_path / "src" / "new.py").touch()
    (tmp_path / "notes.txt").touch()
    assert dvc.untracked_code() == ["src/new.py"]


def test_experiments_of_all_their_bases_are_asked_for(repository, monkeypatch):
    first = repository.revision
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    for message in ("second", "queued", "third"):
        subprocess.run(["git", *identity, "commit", "--quiet", "--allow-empty", "--message", message], check=True)
    third, queued, second = (
        subprocess.run(
            ["git", "rev-parse", f"HEAD~{n}"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for n in range(3)
    )
    for name in (f"{first[:2]}/{first[2:]}/one", f"{first[:2]}/{first[2:]}/other", "exec/EXEC_HEAD", "stash"):
        subprocess.run(["git", "update-ref", f"refs/exps/{name}", second], check=True)
    asked = []

    def answer(*arguments):
        asked.append(arguments)
        return f"Task     Name  Status\n{queued[:7]}  deadbeef  Queued\n" if arguments[0] == "queue" else "[]"

    monkeypatch.setattr(dvc, "dvc", answer)
    assert dvc.bases() == [third, first, second]  # second is the parent of what is queued
    assert dvc.all_experiments() == []
    assert asked[-1] == ("exp", "show", "--json", "--rev", third, "--rev", first, "--rev", second)


def test_dvc_is_asked_again_where_a_queue_at_work_disturbs_it(monkeypatch):
    pauses, answers = [], ["disturbed", "disturbed", "[]"]

    def dvc_of_a_busy_project(*arguments):
        if arguments == ("queue", "status"):
            return ""
        answer = answers.pop(0)
        if answer == "disturbed":
            raise dvc.DVCError(arguments, ["directory 'tmpk0vc9vva/.dvc' does not exist"], 255)
        return answer

    monkeypatch.setattr(dvc, "dvc", dvc_of_a_busy_project)
    monkeypatch.setattr(dvc.time, "sleep", pauses.append)
    assert dvc.all_experiments() == []
    assert pauses == [1.0, 3.0]
    answers[:] = ["disturbed"] * 3
    with pytest.raises(UserError, match="DVC refused"):
        dvc.all_experiments()
