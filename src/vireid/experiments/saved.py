"""Runs that Git keeps, commits and DVC's experiments, and whether this machine's cache has their outputs.

DVC keeps an experiment as a commit under `refs/exps/<its base commit, cut in two>/<name>`. Reading these by Git
takes milliseconds, where `dvc exp show` takes seconds.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vireid.experiments.dvc import call, dvc, locked
from vireid.support.errors import UserError

LOCK, PARAMS, RESULTS = "dvc.lock", "params.yaml", "results"
_EXPERIMENT = re.compile(r"refs/exps/(?P<base>[0-9a-f]{2}/[0-9a-f]{38})/(?P<name>[^/]+)")


@dataclass(frozen=True)
class SavedRun:
    """A run that Git keeps.

    Attributes:
        name: `HEAD`, an experiment's name, or a commit's abbreviated hash.
        revision: The commit that holds its files.
        base: The commit that an experiment started from; empty for commits.
    """

    name: str
    revision: str
    base: str = ""

    def file(self, path: str) -> bytes | None:
        """Read a file as the run left it; None where it has none."""
        done = call("git", "show", f"{self.revision}:{path}")
        return None if done.returncode else done.stdout


def head() -> SavedRun:
    """Return the last commit.

    Raises:
        UserError: If this is no Git repository with a commit, or not its root.
    """
    done = call("git", "rev-parse", "--show-cdup", "HEAD")
    lines = done.stdout.decode().splitlines()
    if done.returncode or lines[0]:
        root = Path(lines[0]).resolve() if lines and lines[0] else None
        raise UserError(
            Path.cwd(),
            "not the root of a project with a commit",
            expected="the folder of dvc.yaml, in a clone",
            found=f"a folder of the project {root}" if root else "a folder without a commit of Git",
            remedy=f"run in the root of the project{f': cd {root}' if root else ''}",
        )
    return SavedRun("HEAD", lines[1])


def experiments() -> list[SavedRun]:
    """List the finished experiments, the newest first."""
    shown = "%(objectname) %(refname)"
    listed = call("git", "for-each-ref", "--sort=-committerdate", f"--format={shown}", "refs/exps").stdout.decode()
    pairs = (line.split(" ", 1) for line in listed.splitlines())
    matches = ((revision, _EXPERIMENT.fullmatch(reference)) for revision, reference in pairs)
    return [SavedRun(m["name"], revision, m["base"].replace("/", "")) for revision, m in matches if m]


def commits() -> list[SavedRun]:
    """List the commits before the last one that changed `dvc.lock`, the newest first."""
    listed = call("git", "log", "--format=%h %H", "HEAD~1", "--", LOCK)
    return [SavedRun(*line.split()) for line in listed.stdout.decode().splitlines()]


def named(name: str) -> SavedRun:
    """Find a run by an experiment's name or a revision.

    Raises:
        UserError: If there is none.
    """
    known = experiments()
    for run in known:
        if run.name == name:
            return run
    done = call("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode:
        raise UserError(
            "vireid restore",
            "there is no such experiment or commit",
            expected=", ".join(run.name for run in known[:10]) or "a commit (there are no experiments)",
            found=name,
            remedy="name one of these, or a commit (`git log`, `dvc exp list`)",
        )
    return SavedRun(name, done.stdout.decode().strip())


def cached_outputs(run: SavedRun) -> dict[str, str]:
    """Return the outputs that DVC's cache must hold, with their hashes: those that Git does not keep itself."""
    kept = call("git", "ls-tree", "-r", "-z", "--name-only", run.revision).stdout.decode().split("\0")
    folders = {str(parent) for name in kept for parent in Path(name).parents}
    outs = [out for stage in locked(run.revision).values() for out in stage.get("outs", ())]
    return {out["path"]: out.get("md5", "") for out in outs if out["path"] not in folders | set(kept)}


def missing_outputs(run: SavedRun) -> list[str]:
    """List the outputs of a run that this machine's cache does not have whole; `dvc.lock` if it names none."""
    cache = Path(dvc("cache", "dir").strip()) / "files" / "md5"
    outs = cached_outputs(run)
    return [path for path, digest in outs.items() if not _is_cached(cache, digest)] or ([] if outs else [LOCK])


def _is_cached(cache: Path, digest: str) -> bool:
    path = cache / digest[:2] / digest[2:]
    if not digest or not path.is_file():
        return False
    if not digest.endswith(".dir"):
        return True
    entries: Sequence[dict[str, Any]] = json.loads(path.read_bytes())
    return all(_is_cached(cache, entry["md5"]) for entry in entries)
