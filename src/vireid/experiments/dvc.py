"""DVC's experiments, through its command line: what there is, queueing one, and reading an experiment's files."""

import io
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import psutil

from vireid.layers import flat
from vireid.support.errors import UserError
from vireid.support.progress import console
from vireid.support.yaml_files import parse_yaml

_UNFINISHED = ("queued", "running", "failed")
_LAST = "evaluate"  # the stage whose numbers a table reads
_PAUSES = (1.0, 3.0)  # seconds before DVC is asked again


class DVCError(UserError):
    """DVC ended with an error.

    Attributes:
        printed: The lines that it printed on standard error.
    """

    def __init__(self, arguments: Sequence[str], printed: Sequence[str], code: int):
        self.printed = printed
        super().__init__(
            f"dvc {' '.join(arguments[:2])}",
            "DVC refused",
            expected="exit code 0",
            found="\n".join(printed[-5:]) or f"exit code {code}",
            remedy="run in the root of the project; if a queue is at work, try again in a minute",
        )


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Attributes:
        name: Its name; empty where DVC knows none.
        state: queued, running, failed (or killed), finished; or partial, whose numbers are not those of its
            parameters.
        revision: The Git commit that holds its files.
        base: The commit that it started from.
        timestamp: When it was queued or, if finished, ended; ISO 8601.
        params: `params.yaml` by dotted key.
        metrics: `results/metrics.json`; of another run unless it is finished.
    """

    name: str
    state: str
    revision: str
    base: str
    timestamp: str
    params: dict[str, Any]
    metrics: dict[str, Any]

    @property
    def called(self) -> str:
        """What it is called where it is told of."""
        return self.name or self.revision[:7]


def all_experiments() -> list[Experiment]:
    """Find all experiments of the project in the working directory, whichever commit they started from.

    Raises:
        UserError: If DVC cannot say.
    """
    with console.status("reading DVC's experiments"):
        listed = json.loads(_shown())
    experiments = []
    for base in listed:
        for item in base["experiments"] or ():
            last, executor = item["revs"][0], item["executor"] or {}
            if last["data"] is None:  # left behind by a queue that was cleared
                continue
            params = flat(_content(last["data"]["params"], "params.yaml"))
            state = executor.get("state")
            if state == "running" and not _is_at_work(executor):
                state = "failed"
            if state not in _UNFINISHED:
                state = "finished" if _evaluated(locked(last["rev"]), params) else "partial"
            experiments.append(
                Experiment(
                    name=item["name"] or "",
                    state=state,
                    revision=last["rev"],
                    base=base["rev"],
                    timestamp=last["data"]["timestamp"] or "",
                    params=params,
                    metrics=_content(last["data"]["metrics"], "results/metrics.json"),
                )
            )
    return experiments


def _shown() -> str:
    """What DVC says of all experiments; asked again if a queue at work has removed what it was reading."""
    for pause in _PAUSES:
        try:
            return _shown_once()
        except DVCError:
            time.sleep(pause)
    return _shown_once()


def _shown_once() -> str:
    revisions = (part for revision in bases() for part in ("--rev", revision))
    return dvc("exp", "show", "--json", *revisions)


def bases() -> list[str]:
    """Commits that experiments started from, and the present one.

    DVC can look through all commits by itself, but takes seconds for each ten of them. The names of experiments'
    Git references hold their base, and the parent of what is queued is its base.
    """
    names = call("git", "for-each-ref", "--format=%(refname)", "refs/exps").stdout.decode().split()
    saved = [f"{parts[2]}{parts[3]}" for parts in (name.split("/") for name in names) if len(parts[2]) == 2]
    tasks = re.findall(r"^([0-9a-f]{7,40})\b", dvc("queue", "status"), flags=re.MULTILINE)
    parents = [
        call("git", "rev-parse", "--verify", "--quiet", f"{task}^").stdout.decode().strip() for task in tasks
    ]
    head = call("git", "rev-parse", "HEAD").stdout.decode().strip()
    return list(dict.fromkeys(base for base in (head, *saved, *parents) if base))


def _is_at_work(executor: Mapping[str, Any]) -> bool:
    """Whether the process of an experiment that DVC calls running is alive.

    DVC goes on calling it so where a worker was killed or the machine was switched off.
    """
    pid = (executor.get("local") or {}).get("pid")
    if pid is None:
        return True
    try:
        return any("dvc" in word for word in psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _content(files: dict[str, Any] | None, name: str) -> dict[str, Any]:
    return ((files or {}).get(name) or {}).get("data") or {}


def locked(revision: str) -> dict[str, Any]:
    """Read what the stages of an experiment last ran with, by stage."""
    content = call("git", "show", f"{revision}:dvc.lock").stdout
    lock = parse_yaml(content, f"dvc.lock in commit {revision[:7]}", remedy="name another commit or experiment")
    return lock["stages"] if lock else {}


def _evaluated(stages: Mapping[str, Any], params: Mapping[str, Any], name: str = _LAST) -> bool:
    """Whether a stage, and before it every stage that it reads from, last ran with these parameters.

    After `dvc exp run train` the metrics are those of the run before. `dvc exp save` cannot be found out: it
    writes dvc.lock anew from whatever lies there.
    """
    stage = stages.get(name, {})
    recorded = stage.get("params", {}).get("params.yaml", {})
    parts = tuple(f"{part}." for part in recorded)
    now = {key: value for key, value in params.items() if f"{key}.".startswith(parts)}
    read = {dep["path"]: dep.get("md5") for dep in stage.get("deps", ())}
    return (
        bool(stage)
        and now == flat(recorded)
        and all(
            read[out["path"]] == out.get("md5") and _evaluated(stages, params, maker)
            for maker, made in stages.items()
            for out in made.get("outs", ())
            if out["path"] in read
        )
    )


def queue(name: str, overrides: Sequence[str]) -> None:
    """Queue one experiment: the workspace as it is, with some parameters changed in the queued copy only.

    It ends with `evaluate`; an experiment that is applied gets its figures by `dvc repro`.

    Raises:
        UserError: If DVC refuses.
    """
    parameters = (part for o in overrides for part in ("--set-param", o))
    dvc("exp", "run", "--queue", "--name", name, *parameters, _LAST)


def finds(folder: str) -> bool:
    """Whether a queued experiment, which runs in a copy of what DVC and Git track, will find a folder."""
    if Path(f"{Path(folder)}.dvc").is_file():
        return True  # DVC fetches it
    tracked = Path(folder).is_absolute() or bool(call("git", "ls-files", "--", folder).stdout)
    return tracked and Path(folder).is_dir()


def untracked_code() -> list[str]:
    """Code that Git does not track, which a queued experiment therefore lacks."""
    done = call("git", "ls-files", "--others", "--exclude-standard", "--", "src", "stages", "dvc.yaml")
    return done.stdout.decode().splitlines()


@contextmanager
def files_of(experiment: Experiment, path: str) -> Iterator[Path]:
    """Unpack a file or folder that an experiment keeps in Git into a temporary folder.

    Raises:
        UserError: If the experiment does not have it.
    """
    done = call("git", "archive", "--format=zip", experiment.revision, path)
    if done.returncode:
        raise UserError(
            f"experiment {experiment.name}",
            f"it has no {path}",
            expected=f"{path} in commit {experiment.revision[:7]}",
            found=done.stderr.decode(errors="replace").strip(),
            remedy=f"give it another name (`dvc exp rename {experiment.name} NAME`) and run this row again",
        )
    with TemporaryDirectory() as folder, ZipFile(io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder)
        yield Path(folder) / path


def dvc(*arguments: str) -> str:
    """Run DVC and return what it printed on standard output.

    Raises:
        DVCError: If it ends with an error.
    """
    done = call(sys.executable, "-m", "dvc", *arguments)
    if done.returncode:
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
        raise DVCError(arguments, lines, done.returncode)
    return done.stdout.decode()


def call(*command: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program to its end, whatever its exit code."""
    return subprocess.run(command, capture_output=True, check=False)  # noqa: S603 (no shell; our own arguments)
