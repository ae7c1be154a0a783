"""The images that parameters name: a folder that can be used, recognised, and listed by its data set."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vireid.data.layout_checks import require_storable
from vireid.data.records import ImageRecord
from vireid.datasets import data_set_of, data_sets
from vireid.datasets.base import Choices, DataSet
from vireid.support.errors import UserError

if TYPE_CHECKING:
    from vireid.params import Dataset


def find_images(dataset: "Dataset") -> list[ImageRecord]:
    """List a data set's images by its layout, after checking that its root can be used at all.

    Raises:
        UserError: If the root is missing, empty or a symbolic link, breaks the layout, or has no
            such trial or validation list; if a name or identity cannot be stored.
    """
    require_root(dataset)
    for wrong in wrong_choices(dataset):
        raise wrong
    root, data_set = Path(dataset.root), data_set_of(dataset.layout)
    if not data_set.is_described:  # its list says more of what is missing
        require_entries(root, data_set)
    choices = Choices(dataset.trial, dataset.train_on_val, dataset.gallery_draw == "official")
    records = data_set.find_images(root, choices)
    require_storable(root, records)
    return records


def require_root(dataset: "Dataset") -> None:
    """Check that a data set's root can be used at all.

    Raises:
        UserError: If it is missing, empty or a symbolic link.
    """
    root = Path(dataset.root)
    remedy = "draw the embedded data set with `vireid synthesize`, or set dataset.root to your own"
    if root.is_symlink():
        raise UserError(
            root,
            "the data set is a symbolic link",
            expected="a real folder: DVC deletes and overwrites files behind a linked one",
            found=f"a link to {root.readlink()}",
            remedy=f"first `rm {root}` (the link only), then set dataset.root: {root.resolve()} and "
            "`git checkout data.dvc`; no `dvc checkout` while the link is there",
        )
    if not root.is_dir():
        raise UserError(
            root,
            "the data set is missing",
            expected=f"a {dataset.layout} folder",
            found="nothing",
            remedy=remedy,
        )
    if not any(root.iterdir()):
        raise UserError(
            root,
            "the data set is empty",
            expected=f"a {dataset.layout} folder",
            found="no files",
            remedy=remedy,
        )


def wrong_choices(dataset: "Dataset") -> Iterator[UserError]:
    """Find choices that the layout does not have: a name, a trial, the validation list, official galleries.

    A name of another layout would be evaluated by protocols in a file that DVC does not watch for this run.
    """
    data_set = data_set_of(dataset.layout)
    if dataset.name not in data_set.names:
        yield UserError(
            "dataset.name",
            f"no data set of the layout {dataset.layout}",
            expected=f"one of {', '.join(data_set.names)}",
            found=dataset.name,
            remedy="choose name, layout and protocols together with `vireid preset dataset=NAME`",
        )
    trials = data_set.trials
    if trials is None and dataset.trial != 0:
        yield UserError(
            "dataset.trial",
            f"the layout {dataset.layout} has no trials",
            expected="0",
            found=dataset.trial,
            remedy="set dataset.trial: 0",
        )
    if trials is not None and dataset.trial not in trials:
        yield UserError(
            "dataset.trial",
            f"the layout {dataset.layout} is split anew in each trial",
            expected=f"a trial from {trials[0]} to {trials[-1]}",
            found=dataset.trial,
            remedy=f"set dataset.trial: {trials[0]}, and train a model for each trial",
        )
    if not dataset.train_on_val and not data_set.has_validation_list:
        yield UserError(
            "dataset.train_on_val",
            f"the layout {dataset.layout} has no validation list to leave out",
            expected="true",
            found="false",
            remedy="set dataset.train_on_val: true",
        )
    if dataset.gallery_draw == "official" and not data_set.has_official_galleries:
        yield UserError(
            "dataset.gallery_draw",
            f"the layout {dataset.layout} has no official galleries",
            expected="seeded",
            found="official",
            remedy="set dataset.gallery_draw: seeded",
        )


def require_entries(root: Path, data_set: DataSet) -> None:
    """Check that a folder has what a data set is recognised by.

    Raises:
        UserError: If it lacks one; the message says which layout the folder has, or that it is a folder too high.
    """
    missing = [name for name in data_set.entries if not (root / name).exists()]
    if missing:
        raise UserError(
            root,
            f"not in {data_set.title}'s layout",
            expected=", ".join(data_set.entries),
            found=f"no {', '.join(missing)}{hint(root)}",
            remedy=f"set dataset.root to the folder that holds {data_set.entries[0]}, "
            "or choose the data set with `vireid preset dataset=NAME`",
        )


def hint(root: Path) -> str:
    """Say which data set a folder looks like, or one of the folders in it; as the end of a sentence, or empty."""
    data_set = recognised(root)
    if data_set is not None:
        return f"; it looks like {data_set.title}"
    for child in sorted(path for path in root.iterdir() if path.is_dir()):
        data_set = recognised(child)
        if data_set is not None:
            return f"; its folder {child.name} looks like {data_set.title}"
    return ""


def recognised(folder: Path) -> DataSet | None:
    """Say which data set a folder looks like, by what is in it: of several the one with the most entries."""

    def has(name: str) -> bool:
        return os.path.exists(folder / name)  # noqa: PTH110 Path.exists raises where a folder may not be read

    fitting = [data_set for data_set in data_sets().values() if all(map(has, data_set.entries))]
    return max(fitting, key=lambda data_set: len(data_set.entries), default=None)
