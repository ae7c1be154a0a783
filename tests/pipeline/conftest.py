"""A copy of the project with a tiny data set and `schedule=smoke`, in which `dvc repro` has run once."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RUNS = Path(".dvc/cache/runs")
STAGES = ("check", "ingest", "superresolve", "train", "extract", "evaluate", "figures")


@dataclass(frozen=True)
class Project:
    """A working copy, and what the last command in it did."""

    root: Path
    environment: dict[str, str]

    def run(self, *command: str) -> str:
        """Run a command in the project and return what it printed; fail the test if it fails."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}:\n{done.stdout}"
        return done.stdout

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command that may fail."""
        return subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def keep_runs(self) -> None:
        """Keep what DVC remembers of runs so far, for `restore`."""
        shutil.copytree(self.root / RUNS, self.root.parent / "runs")

    def restore(self) -> None:
        """Go back to the reference run, and forget all runs since.

        DVC would otherwise take the outputs of another test's run and run nothing.
        """
        shutil.rmtree(self.root / RUNS)
        shutil.copytree(self.root.parent / "runs", self.root / RUNS)
        (self.root / "params.yaml").touch()  # a same-length edit within the same second is invisible to Git
        self.run("git", "checkout", "--quiet", ".")
        self.run("git", "clean", "--quiet", "--force", "-d")  # curves of another method, files of a newcomer
        self.run("dvc", "checkout", "--quiet", "--force")


def stages_run(output: str) -> list[str]:
    """Names of the stages whose command was run, from DVC's output."""
    return [name for name in STAGES if f"Running stage '{name}'" in output]


@pytest.fixture(scope="session")
def reference(tmp_path_factory, worker_id) -> Project:
    """A copy of the reference run, which the first of the processes that need it makes for all."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder if worker_id == "master" else folder.parent) / "reference"
    with FileLock(shared.with_suffix(".lock")):
        if not shared.exists():
            partial = shared.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)  # of a test that failed before
            _run_once(partial)
            partial.rename(shared)
    root = tmp_path_factory.mktemp("project")
    shutil.copytree(shared, root, symlinks=True, dirs_exist_ok=True)
    return _project(root / "vireid")


def _project(root: Path) -> Project:
    environment = os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(root.parent / "site-cache"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "COLUMNS": "120",
    }
    environment.pop("DVC_ROOT", None)
    return Project(root, environment)


def _run_once(folder: Path) -> None:
    """Copy the project into a folder, draw a tiny data set, and run the pipeline."""
    project = _project(folder / "vireid")
    _copy_working_tree(project.root)
    project.run("git", "init", "--quiet")
    project.run("git", "config", "user.email", "test@example.org")
    project.run("git", "config", "user.name", "Test")
    sizes = (
        "--train-ids",
        "10",
        "--val-ids",
        "2",
        "--test-ids",
        "6",
        "--visible-images",
        "2",
        "--infrared-images",
        "2",
    )
    project.run("vireid", "synthesize", "data", *sizes, "--workers", "1")
    project.run("vireid", "preset", "schedule=smoke")
    _report_ranks(project.root / "params.yaml", [1, 5])
    project.run("git", "add", ".")
    project.run("git", "commit", "--quiet", "--message", "copy")
    project.run("dvc", "repro")
    project.run("git", "add", ".")
    project.run("git", "commit", "--quiet", "--message", "reference run")
    project.keep_runs()


@pytest.fixture
def project(reference: Project) -> Project:
    reference.restore()
    return reference


def _copy_working_tree(target: Path) -> None:
    """Copy every file that Git tracks or would track, so that uncommitted code is what is tested."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _report_ranks(path: Path, ranks: list[int]) -> None:
    yaml = YAML()
    params = yaml.load(path)
    params["evaluate"]["ranks"] = ranks
    yaml.dump(params, path)
