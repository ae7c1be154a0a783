"""A user's own images: `manifest.csv` in the data set's folder says what each image is.

Columns `path` (relative to the folder), `pid`, `camid`, `modality` (visible or infrared), `split` (train or test)
and, where cameras share a place, `location`; a query ignores its own identity at its own location. Rows are
counted as a spreadsheet does: the header is row 1.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from vireid.data.layouts.checks import LARGEST_PID, in_order, require_disjoint
from vireid.data.records import ImageRecord, Modality
from vireid.support.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

FILE = "manifest.csv"
REQUIRED = ("path", "pid", "camid", "modality", "split")
OPTIONAL = ("location",)
_EXPECTED = f"the columns {', '.join(REQUIRED)} and, if wanted, {', '.join(OPTIONAL)}"
_LARGEST = {"pid": LARGEST_PID, "camid": 2**15 - 1, "location": 2**15 - 1}  # what the columns of images.h5 hold


def find_images(root: Path) -> list[ImageRecord]:
    """List every image of a manifest, ordered by split, modality, pid, camera and name.

    Raises:
        UserError: As `read_manifest`.
    """
    return read_manifest(root / FILE, root)


def read_manifest(path: Path, root: Path) -> list[ImageRecord]:
    """Read and check a manifest.

    Args:
        path: The file.
        root: The folder that its paths are relative to.

    Raises:
        UserError: If the file is missing or is no table, has other columns or no row; if any value is wrong, in
            which case the message names every one with its row and column; if an identity is in both splits.
    """
    table = _read_table(path)
    rows = {index: f"row {index + 1}" for index in table.index}
    return checked_records(path, table, root, rows, "correct these rows; row 1 is the header")


def checked_records(
    path: Path, table: "pd.DataFrame", root: Path, shown: Mapping[int, str], remedy: str
) -> list[ImageRecord]:
    """Turn a manifest's rows into images, after checking every value.

    Args:
        path: The manifest, for the message.
        table: Its columns as text.
        root: The folder that its paths are relative to.
        shown: Index of a row -> how the message calls it.
        remedy: What to do about wrong values.

    Raises:
        UserError: If any value is wrong, in which case the message names every one; if an identity is in both
            splits.
    """
    problems = _problems(table, root, shown)
    if problems:
        raise UserError(
            path,
            f"{len(problems)} wrong value{'s' if len(problems) > 1 else ''}",
            expected="; ".join(f"{column}: {_ALLOWED[column]}" for column in table),
            found="\n    " + "\n    ".join(problems),
            remedy=remedy,
        )
    pids = {split: set(rows["pid"].astype(int)) for split, rows in table.groupby("split")}
    require_disjoint(path, pids.get("train", ()), pids.get("test", ()), "the column split")
    return in_order(_record(row) for row in table.to_dict("records"))


def _record(row: dict[str, str]) -> ImageRecord:
    location = int(row["location"]) if "location" in row else None
    modality = Modality[row["modality"].upper()]
    return ImageRecord(row["path"], int(row["pid"]), int(row["camid"]), modality, row["split"], location)


def _read_table(path: Path) -> "pd.DataFrame":
    """Read all cells as text; the index is the spreadsheet's row less one."""
    import pandas as pd

    if not path.is_file():
        raise _refused(path, "the manifest is missing", "nothing")
    try:
        cells = pd.read_csv(
            path, header=None, dtype=str, keep_default_na=False, skip_blank_lines=False, encoding="utf-8-sig"
        ).fillna("")
    except (ValueError, pd.errors.EmptyDataError) as error:  # ParserError and UnicodeDecodeError are ValueErrors
        raise _refused(path, "not a table of comma-separated values", error) from error
    header = cells.iloc[0].tolist()
    if not set(REQUIRED) <= set(header) <= {*REQUIRED, *OPTIONAL} or len(set(header)) < len(header):
        raise _refused(path, "wrong columns", ",".join(header))
    table = cells.iloc[1:].set_axis(header, axis=1)
    table = table[(table != "").any(axis=1)]
    if table.empty:
        raise _refused(path, "the manifest lists no image", "a header and nothing else")
    return table


def _refused(path: Path, problem: str, found: object) -> UserError:
    remedy = "write one by hand, or from a folder tree with `vireid manifest FOLDER --pattern ...`"
    return UserError(path, problem, expected=_EXPECTED, found=found, remedy=remedy)


def _problems(table: "pd.DataFrame", root: Path, shown: Mapping[int, str]) -> list[str]:
    """Describe every wrong value, in the order of the rows."""
    is_right: dict[str, Callable[[str], bool]] = {
        "path": lambda value: _is_file_below(root, value),
        "modality": lambda value: value in (m.group for m in Modality),
        "split": lambda value: value in ("train", "test"),
    } | {key: lambda value, key=key: _is_number(value, _LARGEST[key]) for key in _LARGEST}
    wrong = {column: ~table[column].map(is_right[column]).astype(bool) for column in table}
    repeated = table["path"].duplicated()
    return [
        f"{shown[row]}, {column}: {table.at[row, column]!r}" + (" again" if not wrong[column][row] else "")
        for row in table.index
        for column in table
        if wrong[column][row] or (column == "path" and repeated[row])
    ]


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


def _is_file_below(root: Path, value: str) -> bool:
    """Say whether a value is the plain path of a file that does not lead out of the folder."""
    plain = value == os.path.normpath(value) and not value.startswith(("..", "/")) and "\0" not in value
    return plain and os.path.isfile(root / value)  # noqa: PTH113 Path.is_file raises for a name that is too long
