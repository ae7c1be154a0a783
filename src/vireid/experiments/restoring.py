"""Bringing a saved run's parameters, lock file, outputs and results back into the workspace."""

from collections.abc import Sequence
from pathlib import Path

from vireid.experiments.dvc import DVCError, call, dvc
from vireid.experiments.saved import LOCK, PARAMS, RESULTS, SavedRun, cached_outputs
from vireid.support.errors import UserError
from vireid.support.files import replacing
from vireid.support.yaml_files import read_yaml

_SHOWN = 5  # files that are named


def is_unsaved(runs: list[SavedRun]) -> bool:
    """Whether the workspace's `dvc.lock` is that of no saved run: a run of `dvc repro` that nothing else keeps."""
    path = Path(LOCK)
    return path.is_file() and path.read_bytes() not in [run.file(LOCK) for run in runs]


def bring_back(run: SavedRun) -> None:
    """Bring a run back, of which the cache has every output.

    DVC removes no file that its cache does not hold; where it refuses, the workspace's files stay as they were.

    Raises:
        UserError: If DVC or Git refuses.
    """
    paths = [Path(PARAMS), Path(LOCK)]
    before = {path: path.read_bytes() for path in paths if path.is_file()}
    made = _results_of_stages()  # by the present lock file
    try:
        for path in paths:
            _write(path, run.file(path.name) or b"")
        dvc("checkout", *cached_outputs(run))
    except UserError as error:
        for path, content in before.items():
            _write(path, content)
        unsaved = _unsaved_files(error.printed) if isinstance(error, DVCError) else []
        if unsaved:
            raise _would_be_lost(unsaved) from error
        raise
    made |= _results_of_stages()
    if call("git", "ls-tree", run.revision, f"{RESULTS}/").stdout:
        _git("restore", f"--source={run.revision}", "--worktree", "--", RESULTS)
    # What a stage of another run left and this one does not have; files of the user's own stay.
    if made:
        _git("clean", "--quiet", "-d", "--force", "--", *sorted(made))


def _results_of_stages() -> set[str]:
    path = Path(LOCK)
    lock = read_yaml(path, "git checkout dvc.lock") if path.is_file() else None
    outs = (out["path"] for stage in (lock or {}).get("stages", {}).values() for out in stage.get("outs", ()))
    return {out for out in outs if out.startswith(f"{RESULTS}/")}


def _unsaved_files(printed: Sequence[str]) -> list[str]:
    """Read from DVC's refusal which files of the workspace it would have removed, though no cache has them."""
    if not any("unsaved files" in line for line in printed):
        return []
    root = Path.cwd()
    paths = [Path(line) for line in printed]
    return sorted(str(p.relative_to(root)) for p in paths if p.is_relative_to(root) and p.exists())


def _would_be_lost(files: Sequence[str]) -> UserError:
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return UserError(
        "vireid restore",
        "files that were changed after a stage had written them would be lost",
        expected="outputs as a run left them: DVC's cache has these",
        found=f"{', '.join(files[:_SHOWN])}{more}; nothing was changed",
        remedy="move them to a folder outside of artifacts and results, and run this again",
    )


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as partial:
        partial.write_bytes(content)


def _git(*arguments: str) -> None:
    done = call("git", *arguments)
    if done.returncode:
        raise UserError(
            f"git {arguments[0]}",
            "Git refused",
            expected="exit code 0",
            found=done.stderr.decode(errors="replace").strip(),
            remedy="mend what it names, and run this again",
        )
