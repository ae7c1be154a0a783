"""Files that are either whole or absent, and their hashes."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vireid.support.errors import UserError


@contextmanager
def replacing(path: Path, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it to `path` once it is complete.

    A reader therefore never sees a half-written file or folder, and an error or a kill while writing leaves an
    earlier `path` as it was (an earlier folder is removed just before the rename). The temporary name is fixed,
    so the next run clears what a killed one left behind.

    Args:
        path: The file or folder to write; its parent is made if needed.
        durable: Whether to wait until the content is on the disk; needed where something else is deleted then.
    """
    partial = path.with_name(path.name + ".partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(partial)
    try:
        yield partial
        if durable:
            flush(partial)
    except BaseException:
        _remove(partial)
        raise
    if path.is_dir():
        _remove(path)
    partial.replace(path)
    if durable:
        _flush_one(path.parent)


def flush(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk."""
    for part in (path, *(path.rglob("*") if path.is_dir() else ())):
        _flush_one(part)


def _flush_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def inside(root: Path, name: str) -> Path:
    """Join a folder and a name from a file, refusing a name that leads out of the folder.

    Raises:
        UserError: If it does.
    """
    path = Path(os.path.normpath(root / name))
    if not path.is_relative_to(os.path.normpath(root)):
        raise UserError(
            root,
            "a name leads out of the folder",
            expected="names below it",
            found=name,
            remedy="correct the name; it comes from the data set's lists or from a file made from them",
        )
    return path


def remedy_of_missing(path: Path, remedy: str) -> str:
    """Say what to do about a missing file, to somebody who may be in a subfolder of the project.

    Args:
        path: What is missing.
        remedy: What makes it, as the end of a sentence.
    """
    if path.is_absolute() or Path("dvc.yaml").is_file():
        return remedy
    return f"run in the root of the project, or correct the path; or {remedy}"


def sha256(path: Path) -> str:
    """Hash one file's bytes, as a hexadecimal string."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any, decimals: int | None = 6) -> None:
    """Write readable JSON, with a newline at the end.

    Args:
        path: The file.
        value: Dicts, lists, text and finite numbers.
        decimals: Decimals to round to, as results that live in Git are; None keeps every digit.
    """
    with replacing(path) as partial:
        text = json.dumps(
            value if decimals is None else _rounded(value, decimals), indent=2, ensure_ascii=False, allow_nan=False
        )
        partial.write_text(text + "\n", encoding="utf-8")


def _rounded(value: Any, decimals: int) -> Any:
    if isinstance(value, float):
        return round(value, decimals)
    if isinstance(value, dict):
        return {key: _rounded(item, decimals) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item, decimals) for item in value]
    return value
