"""Output paths of commands, checked before the work begins: nothing of the user's is ever replaced by accident."""

from collections.abc import Collection
from pathlib import Path

from vireid.data.tree import is_leftover
from vireid.support.errors import UserError


def check_output_file(option: str, path: Path, inputs: Collection[Path] = ()) -> None:
    """Check that a file can be written, and is not a folder or one of the command's own inputs.

    Args:
        option: What named the path, for the message.
        path: The file; an earlier one will be replaced.
        inputs: Files that the command reads.

    Raises:
        UserError: If it cannot or must not be written.
    """
    _check_parents(option, path)
    if path.is_dir():
        raise _refused(option, path, "a file to write", "a folder")
    if path.resolve() in {given.resolve() for given in inputs}:
        raise _refused(option, path, "a file to write", "what the command reads")


def check_output_folder(option: str, path: Path, suffix: str) -> None:
    """Check that a folder can be replaced: that it holds nothing but an earlier run's files.

    Args:
        option: What named the path, for the message.
        path: The folder; an earlier one will be replaced.
        suffix: What the earlier run's files end in.

    Raises:
        UserError: If it is a file, or holds anything else than that and what desktops leave.
    """
    others = [name for name in _names_in(option, path) if Path(name).suffix != suffix]
    if others:
        raise _refused(option, path, f"a new folder, or one of {suffix} files only", others[0])


def check_output_names(option: str, path: Path, names: Collection[str]) -> None:
    """Check that a folder can be replaced: that it holds nothing but files of an earlier run's names.

    Args:
        option: What named the path, for the message.
        path: The folder; an earlier one will be replaced.
        names: Of the files that the command writes.

    Raises:
        UserError: If it is a file, or holds anything else than those and what desktops leave.
    """
    others = [name for name in _names_in(option, path) if name not in names]
    if others:
        raise _refused(option, path, f"a new folder, or one of {', '.join(sorted(names))} only", others[0])


def _names_in(option: str, path: Path) -> list[str]:
    """What a folder to write holds already, but for what desktops leave."""
    _check_parents(option, path)
    if path.exists() and not path.is_dir():
        raise _refused(option, path, "a folder to write", "a file")
    return sorted(child.name for child in path.iterdir() if not is_leftover(child.name)) if path.is_dir() else []


def _check_parents(option: str, path: Path) -> None:
    parent = next(parent for parent in path.absolute().parents if parent.exists())
    if not parent.is_dir():
        raise _refused(option, path, "a path below a folder", f"{parent} is a file")


def _refused(option: str, path: Path, expected: str, found: str) -> UserError:
    return UserError(
        option, f"cannot be written to {path}", expected=expected, found=found, remedy="name another path"
    )
