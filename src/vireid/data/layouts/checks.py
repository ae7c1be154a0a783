"""What the layouts have in common: recognising a folder, disjoint splits, files that are there, one order."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from vireid.data.records import ImageRecord
from vireid.support.errors import UserError

TITLES = {"sysu_mm01": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM", "manifest": "a manifest"}
ENTRIES = {
    "sysu_mm01": (*(f"cam{camid}" for camid in range(1, 7)), "exp"),
    "regdb": ("Visible", "Thermal", "idx"),
    "llcm": ("vis", "nir", "test_vis", "test_nir", "idx"),
    "manifest": ("manifest.csv",),
}
_SPLITS = ("train", "test")


def require_folders(root: Path, layout: str) -> None:
    """Check that a data set has the folders of its layout.

    Raises:
        UserError: If it lacks one; the message says which layout the folder has, or that it is a folder too high.
    """
    missing = [name for name in ENTRIES[layout] if not (root / name).is_dir()]
    if missing:
        raise UserError(
            root,
            f"not in {TITLES[layout]}'s layout",
            expected=f"folders {', '.join(ENTRIES[layout])}",
            found=f"no {', '.join(missing)}{_hint(root)}",
            remedy=f"set dataset.root to the folder that holds {ENTRIES[layout][0]}, "
            "or choose the data set with `vireid preset dataset=NAME`",
        )


def _hint(root: Path) -> str:
    layout = layout_of(root)
    if layout is not None:
        return f"; it looks like {TITLES[layout]}"
    for child in sorted(path for path in root.iterdir() if path.is_dir()):
        layout = layout_of(child)
        if layout is not None:
            return f"; its folder {child.name} looks like {TITLES[layout]}"
    return ""


def layout_of(folder: Path) -> str | None:
    """Say which layout a folder looks like, by what is in it."""

    def has(name: str) -> bool:
        return os.path.exists(folder / name)  # noqa: PTH110 Path.exists raises where a folder may not be read

    return next((key for key, names in ENTRIES.items() if all(map(has, names))), None)


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
            found=some(both),
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
    label_of, pid_of = {}, {}
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


def require_files(root: Path, names: Iterable[str]) -> None:
    """Check that the files of a list are there.

    Raises:
        UserError: If one is not.
    """
    missing = [name for name in names if not (root / name).is_file()]
    if missing:
        raise UserError(
            root / missing[0],
            "a listed image is missing",
            expected="every image of the lists",
            found=f"{len(missing)} listed images that are not there",
            remedy="complete the data set, or restore its own lists",
        )


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


def in_order(records: Iterable[ImageRecord]) -> list[ImageRecord]:
    """Sort by split (train first), modality, pid, camera and name: the order of `images.h5`."""
    return sorted(records, key=lambda r: (_SPLITS.index(r.split), r.modality, r.pid, r.camid, r.name))


def some(values: Collection[int]) -> str:
    """Show the first ten of some numbers, ascending, and how many there are."""
    shown = ", ".join(map(str, sorted(values)[:10]))
    return shown if len(values) <= 10 else f"{shown}, ... ({len(values)} in all)"
