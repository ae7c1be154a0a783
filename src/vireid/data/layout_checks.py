"""What the layouts have in common: disjoint splits, files that are there, one order."""

import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from vireid.data.formats import SUFFIXES
from vireid.data.records import SPLITS, ImageRecord
from vireid.data.tree import Tree
from vireid.support.errors import UserError
from vireid.support.text import printable

ENDING = rf"({'|'.join(map(re.escape, SUFFIXES))})"  # of an image's name, in a regular expression
OTHER_ENDINGS = f"or {', '.join(SUFFIXES[1:])}"
LARGEST_PID = 2**31 - 1  # what the column of images.h5 holds


def require_disjoint(where: Path, train_pids: Collection[int], test_pids: Collection[int], files: str) -> None:
    """Check that no identity is in both splits.

    Args:
        where: The folder of the lists, for the message.
        train_pids: Identities to train on.
        test_pids: Identities to test on.
        files: The lists, for the message.

    Raises:
        UserError: If there is one.
    """
    both = set(train_pids) & set(test_pids)
    if both:
        raise UserError(
            where,
            "identities in both train and test",
            expected="disjoint identities: otherwise the test measures memory",
            found=few_of(both),
            remedy=f"correct {files}",
        )


def labels_of(path: Path, records: Sequence[ImageRecord], labels: Iterable[int]) -> dict[int, int]:
    """Find the label that a list gives each identity.

    Args:
        path: The list, for the message.
        records: Its images.
        labels: The label of each.

    Returns:
        Identity -> label.

    Raises:
        UserError: If an identity has two labels, or a label two identities.
    """
    label_of: dict[int, int] = {}
    pid_of: dict[int, int] = {}
    for record, label in zip(records, labels, strict=True):
        pid = record.pid
        if label_of.setdefault(pid, label) != label or pid_of.setdefault(label, pid) != pid:
            raise UserError(
                path,
                "labels and folders disagree",
                expected="one label for each identity",
                found=f"label {label} for {record.name}, but elsewhere label {label_of[pid]} for identity {pid} "
                f"and identity {pid_of.get(label, pid)} for label {label}",
                remedy="restore the official file",
            )
    return label_of


def require_files(tree: Tree, names: Iterable[str]) -> None:
    """Check that the files of a list are there.

    Raises:
        UserError: If one is not, or DVC would not see when it changes.
    """
    remedy = "complete the data set, or restore its own lists"
    tree.require(names, "a listed image is missing", "every image of the lists", remedy)


def require_every_camera(root: Path, records: Iterable[ImageRecord], folder_of: Mapping[int, str]) -> None:
    """Check that no camera's folder is without an image.

    Args:
        root: The data set.
        records: Its images.
        folder_of: Camera -> folder, relative to the root.

    Raises:
        UserError: If one is.
    """
    empty = [folder_of[camid] for camid in sorted(folder_of.keys() - {record.camid for record in records})]
    if empty:
        raise UserError(
            root / empty[0],
            "a camera without an image",
            expected=f"images of the listed identities in {', '.join(folder_of.values())}",
            found=f"none in {', '.join(empty)}",
            remedy="complete the data set; an interrupted copy or unpacking may have left folders empty",
        )


def require_storable(root: Path, records: Iterable[ImageRecord]) -> None:
    """Check that names and identities can be written to `images.h5`.

    Raises:
        UserError: If a name is not UTF-8, or an identity has too many digits.
    """
    for record in records:
        require_utf8(root, record.name)
        if record.pid > LARGEST_PID:
            raise UserError(
                root / record.name,
                "an identity with too many digits",
                expected=f"at most {LARGEST_PID}",
                found=record.pid,
                remedy="number the identities anew",
            )


def require_utf8(root: Path, name: str) -> None:
    """Check that a name found on disk is text.

    Raises:
        UserError: If it is not UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(
            os.fsencode(root / name).decode(errors="backslashreplace"),
            "a file name that is not UTF-8",
            expected="a name in UTF-8",
            found="other bytes",
            remedy="rename the file",
        ) from error


def images_in(tree: Tree, folder: str) -> list[str]:
    """List what is in an identity's folder, relative to the data set; nothing where there is no such folder.

    Raises:
        UserError: If there is a file of its name.
    """
    if folder in tree:
        raise UserError(
            tree.root / folder,
            "not a folder",
            expected="a folder of one identity's images",
            found="a file",
            remedy="complete the data set; an interrupted copy or unpacking may have left this",
        )
    return [f"{folder}/{name}" for name in tree.children(folder)]


def refuse_strays(root: Path, strays: Sequence[str], expected: str) -> None:
    """Refuse files whose names, relative to the data set, are not of the layout.

    Raises:
        UserError: If there is one; the message counts them and names the first.
    """
    if strays:
        raise UserError(
            root / strays[0],
            "a file that is not of the layout",
            expected=expected,
            found=printable(strays[0]) if len(strays) == 1 else f"{len(strays)} such files; this is the first",
            remedy="move it out of the data set" if len(strays) == 1 else "move them out of the data set",
        )


def in_order(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Sort by split (train first), modality, pid, camera and name: the order of `images.h5`."""
    return sorted(records, key=lambda r: (SPLITS.index(r.split), r.modality, r.pid, r.camid, r.name))


def few_of(values: Collection[int]) -> str:
    """Show the first ten of some numbers, ascending, and how many there are."""
    shown = ", ".join(map(str, sorted(values)[:10]))
    return shown if len(values) <= 10 else f"{shown}, ... ({len(values)} in all)"
