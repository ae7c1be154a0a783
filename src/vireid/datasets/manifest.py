"""A user's own images: `manifest.csv` in the data set's folder says what each image is.

Columns `path` (relative to the folder; `./a.jpg` and `b//../a.jpg` are `a.jpg`), `pid`, `camid`, `modality`
(visible or infrared), `split` (train or test) and, where cameras share a place, `location`; a query ignores its
own identity at its own location. Rows are counted as a spreadsheet does: the header is row 1.
"""

import os
import re
from collections.abc import Callable, Mapping
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from vireid.data.layout_checks import LARGEST_PID, in_order, require_disjoint
from vireid.data.records import ImageRecord, Modality
from vireid.data.tree import Tree, read_dataset
from vireid.datasets.base import Choices, DataSet
from vireid.datasets.protocol import between_spectra
from vireid.support.errors import UserError
from vireid.support.text_files import read_text

if TYPE_CHECKING:
    import pandas as pd

FILE = "manifest.csv"
REQUIRED = ("path", "pid", "camid", "modality", "split")
OPTIONAL = ("location",)
_EXPECTED = f"the columns {', '.join(REQUIRED)} and, if wanted, {', '.join(OPTIONAL)}"
_REMEDY = "write one by hand, or from a folder tree with `vireid manifest FOLDER --pattern ...`"
_SHOWN = 5  # wrong values that are named
_LARGEST = {"pid": LARGEST_PID, "camid": 2**15 - 1, "location": 2**15 - 1}  # what the columns of images.h5 hold


def find_images(root: Path, choices: Choices) -> list[ImageRecord]:
    """List every image of a manifest, ordered by split, modality, pid, camera and name.

    Raises:
        UserError: As `read_manifest` and `read_dataset`.
    """
    return read_manifest(read_dataset(root))


def read_manifest(tree: Tree) -> list[ImageRecord]:
    """Read and check the manifest of a folder.

    Raises:
        UserError: If the file is missing or is no table, has other columns or no row; if any value is wrong, in
            which case the message counts them and names the first with row and column; if an identity is in both
            splits.
    """
    table = _read_table(tree)
    rows = {index: f"row {index + 1}" for index in table.index}
    return checked_records(tree, table, rows, "correct these rows; row 1 is the header")


def checked_records(tree: Tree, table: "pd.DataFrame", shown: Mapping[int, str], remedy: str) -> list[ImageRecord]:
    """Turn a manifest's rows into images, after checking every value.

    Args:
        tree: The folder that its paths are relative to.
        table: Its columns as text.
        shown: Index of a row -> how the message calls it.
        remedy: What to do about wrong values.

    Raises:
        UserError: If any value is wrong, in which case the message counts them and names the first; if an identity
            is in both splits.
    """
    path, given = tree.root / FILE, table
    table = given.assign(path=given["path"].map(os.path.normpath))
    wrong = _wrong_columns(tree, table)
    problems = _problems(tree, given, table, wrong, shown)
    if problems:
        lines = problems[:_SHOWN] + [f"and {len(problems) - _SHOWN} more"] * (len(problems) > _SHOWN)
        raise UserError(
            path,
            f"{len(problems)} wrong value{'s' if len(problems) > 1 else ''}",
            expected="; ".join(
                f"{column}: {_ALLOWED[column]}" for column in map(str, table) if wrong[column].any()
            ),
            found="\n    " + "\n    ".join(lines),
            remedy=remedy,
        )
    pids = {split: set(rows["pid"].astype(int)) for split, rows in table.groupby("split")}
    require_disjoint(path, pids.get("train", ()), pids.get("test", ()), "the column split")
    return in_order(_record({str(key): value for key, value in row.items()}) for row in table.to_dict("records"))


def _record(row: dict[str, str]) -> ImageRecord:
    location = int(row["location"]) if "location" in row else None
    modality = Modality[row["modality"].upper()]
    return ImageRecord(row["path"], int(row["pid"]), int(row["camid"]), modality, row["split"], location)


def _read_table(tree: Tree) -> "pd.DataFrame":
    """Read all cells as text; the index is the spreadsheet's row less one."""
    import pandas as pd

    tree.require([FILE], "the manifest is missing", _EXPECTED, _REMEDY)
    path = tree.root / FILE
    text = read_text(path, "not a table of comma-separated values", _EXPECTED, _REMEDY)
    try:
        cells = pd.read_csv(
            StringIO(text), header=None, dtype=str, keep_default_na=False, skip_blank_lines=False
        ).fillna("")
    except (ValueError, pd.errors.EmptyDataError) as error:  # ParserError is a ValueError
        raise _refused(path, "not a table of comma-separated values", error) from error
    header = cells.iloc[0].tolist()
    if not set(REQUIRED) <= set(header) <= {*REQUIRED, *OPTIONAL} or len(set(header)) < len(header):
        raise _refused(path, "wrong columns", repr(",".join(header)))
    table = cells.iloc[1:].set_axis(header, axis=1)
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise _refused(path, "the manifest lists no image", "a header and nothing else")
    return table


def _refused(path: Path, problem: str, found: object) -> UserError:
    return UserError(path, problem, expected=_EXPECTED, found=found, remedy=_REMEDY)


def _wrong_columns(tree: Tree, table: "pd.DataFrame") -> "pd.DataFrame":
    """Say of every value whether it is wrong; of a path also where it stands in an earlier row."""
    is_right: dict[str, Callable[[str], bool]] = {
        "path": lambda value: _why_not_read(tree, value) is None,
        "modality": lambda value: value in (m.group for m in Modality),
        "split": lambda value: value in ("train", "test"),
    } | {key: lambda value, key=key: _is_number(value, _LARGEST[key]) for key in _LARGEST}
    wrong = table.apply(lambda column: ~column.map(is_right[column.name]).astype(bool))
    return wrong.assign(path=wrong["path"] | table["path"].duplicated())


def _problems(
    tree: Tree, given: "pd.DataFrame", table: "pd.DataFrame", wrong: "pd.DataFrame", shown: Mapping[int, str]
) -> list[str]:
    """Describe every wrong value as it was given, in the order of the rows."""
    problems = []
    for row in table.index[wrong.any(axis=1)]:
        for column in table.columns[wrong.loc[row]]:
            why = (_why_not_read(tree, str(table.at[row, column])) or "again") if column == "path" else None
            problems.append(f"{shown[row]}, {column}: {given.at[row, column]!r}" + (f" ({why})" if why else ""))
    return problems


_ALLOWED = {
    "path": "an image file below the folder, each once",
    "pid": f"a whole number from 0 to {_LARGEST['pid']}",
    "camid": f"a whole number from 0 to {_LARGEST['camid']}",
    "modality": "visible or infrared",
    "split": "train or test",
    "location": f"a whole number from 0 to {_LARGEST['location']}",
}


def _is_number(value: str, largest: int) -> bool:
    return re.fullmatch(r"[0-9]{1,10}", value) is not None and int(value) <= largest


def _why_not_read(tree: Tree, name: str) -> str | None:
    """Say why the file of a normalised path is not read; None where it is."""
    if name == ".":
        return "no file"
    if name.startswith("/"):
        return "not relative to the folder"
    if name == ".." or name.startswith("../"):
        return "not below the folder"
    absence = tree.absence(name)
    if absence is None:
        return None
    return "write / between folders" if "\\" in name and name.replace("\\", "/") in tree else absence.why


DATA_SET = DataSet(
    layout="manifest",
    title="a manifest",
    entries=(FILE,),
    names=("manifest",),
    find_images=find_images,
    protocols=between_spectra,
    is_described=True,
)
