"""Tables in HDF5 files: their columns are declared once, and every file is checked against them in one way."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import h5py
import numpy as np

from vireid.support.errors import UserError

Kind = Literal["text", "whole numbers", "floating-point numbers", "bytes"]
_LETTERS = {"whole numbers": "iu", "floating-point numbers": "f", "bytes": "u"}  # NumPy's kinds


@dataclass(frozen=True)
class StoredColumn:
    """One column of N rows.

    Attributes:
        name: Of the data set in its group.
        kind: What it holds, in any width; bytes are uint8.
        shape: What stands behind N; None is any length.
        is_optional: Whether a file may lack it.
    """

    name: str
    kind: Kind
    shape: tuple[int | None, ...] = ()
    is_optional: bool = False

    def fits(self, values: object) -> bool:
        """Tell whether something in a file is such a column, whatever its number of rows."""
        if not isinstance(values, h5py.Dataset) or len(values.shape) != 1 + len(self.shape):
            return False
        if any(length not in (None, actual) for length, actual in zip(self.shape, values.shape[1:], strict=True)):
            return False
        if self.kind == "text":
            return h5py.check_string_dtype(values.dtype) is not None
        return values.dtype.kind in _LETTERS[self.kind] and (self.kind != "bytes" or values.dtype.itemsize == 1)

    def __str__(self) -> str:
        lengths = ("N", *("any" if length is None else str(length) for length in self.shape))
        return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''}) {self.kind}"


@dataclass(frozen=True)
class StoredTable:
    """Columns of one length in a group.

    Attributes:
        columns: All of them.
    """

    columns: Sequence[StoredColumn]

    def check(self, path: Path, file: h5py.File, group: str, remedy: str) -> None:
        """Check that a group of a file is this table.

        Args:
            path: The file, for messages.
            file: It, open.
            group: Name of the group; empty for the root.
            remedy: What makes such a file.

        Raises:
            UserError: If a column is missing, is of another kind or shape, or differs in length.
        """
        table = file.get(group) if group else file
        is_group = isinstance(table, h5py.Group)
        present = [column for column in self.columns if is_group and column.name in table]
        missing = [c.name for c in self.columns if c not in present and not c.is_optional]
        if missing:
            raise UserError(
                path,
                f"group /{group} is not complete",
                expected=", ".join(column.name for column in self.columns if not column.is_optional),
                found=f"no {', '.join(missing)}" if is_group else "no such group",
                remedy=remedy,
            )
        for column in present:
            values = table[column.name]
            if not column.fits(values):
                what = f"{values.shape} {values.dtype}" if isinstance(values, h5py.Dataset) else "a group"
                raise UserError(
                    path,
                    f"{table.name.rstrip('/')}/{column.name} is not a column of this format",
                    expected=str(column),
                    found=what,
                    remedy=remedy,
                )
        lengths = {column.name: len(table[column.name]) for column in present}
        if len(set(lengths.values())) > 1:
            raise UserError(
                path,
                f"the columns of /{group} differ in length",
                expected="one row for each image in all of them",
                found=", ".join(f"{name}: {length}" for name, length in lengths.items()),
                remedy=remedy,
            )


def read_text(path: Path, values: h5py.Dataset, remedy: str) -> np.ndarray:
    """Read a column of text.

    Args:
        path: Its file, for messages.
        values: The column.
        remedy: What makes such a file.

    Returns:
        (N,) str objects.

    Raises:
        UserError: If the text is not UTF-8.
    """
    try:
        return values.asstr()[:].astype(object)
    except UnicodeDecodeError as error:
        raise UserError(
            path, f"{values.name} is not UTF-8", expected="(N,) text in UTF-8", found=error, remedy=remedy
        ) from error
