"""HDF5 files that say what they are: a schema name and attributes, checked on opening."""

import errno
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vireid.support import refusals
from vireid.support.errors import UserError
from vireid.support.files import remedy_of_missing, replacing

# How the messages of the library begin; errors of other code inside a `with` are none of ours.
_LIBRARYS = re.compile(r"(Unable to|Can't|Link iteration failed)\b")
_FLUSHED_LATER = 64 << 20  # bytes, more than the chunk caches of one file hold


@contextmanager
def open_hdf5(path: Path, schema: str, attributes: Sequence[str], remedy: str) -> Iterator[h5py.File]:
    """Open a file for reading after checking its schema.

    Args:
        path: The file.
        schema: Value that its root attribute `schema` must have.
        attributes: Further root attributes that must be there.
        remedy: What makes the file, as the end of a sentence ("run `dvc repro ingest`").

    Raises:
        UserError: If the file is missing, cannot be read now, is broken, of another format, or lacks an attribute;
            also if what is read inside the `with` turns out to be broken.
    """
    with open_readable(path, schema, remedy) as file, reading(path, schema, remedy):
        found = schema_of(file)
        if found != schema:
            raise UserError(path, "another file format", expected=schema, found=found, remedy=remedy)
        missing = [key for key in attributes if key not in file.attrs]
        if missing:
            raise UserError(
                path,
                "attributes are missing",
                expected=list(attributes),
                found=f"no {missing}",
                remedy=remedy,
            )
        yield file


def open_readable(path: Path, expected: str, remedy: str) -> h5py.File:
    """Open any HDF5 file for reading.

    Args:
        path: The file.
        expected: What it should be, for messages.
        remedy: What makes it, as `open_hdf5` takes it.

    Raises:
        UserError: If the file is missing, cannot be read now, or is no whole HDF5 file.
    """
    if not path.is_file():
        raise UserError(
            path,
            "the file is missing",
            expected=expected,
            found="a folder" if path.is_dir() else "nothing",
            remedy=remedy_of_missing(path, remedy),
        )
    with reading(path, expected, remedy):
        # A cache of whole chunks halves the rate of single images.
        return h5py.File(path, "r", rdcc_nbytes=0)


def schema_of(file: h5py.File) -> str:
    """Return what a file calls itself."""
    return str(plain(file.attrs.get("schema", "no attribute `schema`")))


@contextmanager
def reading(path: Path, expected: str, remedy: str) -> Iterator[None]:
    """Turn HDF5's errors inside the `with` into one that says whether the file itself is broken.

    Args:
        path: The file that is read.
        expected: What it should be.
        remedy: What makes it, as `open_hdf5` takes it.

    Raises:
        UserError: If the system refuses to read the file, or its content is no whole HDF5 file.
    """
    try:
        yield
    except (OSError, KeyError, RuntimeError) as error:
        text = str(error.args[-1]) if error.args else ""
        if not _LIBRARYS.match(text):
            raise
        if isinstance(error, OSError) and error.errno:  # the content is not to blame
            held = error.errno == errno.EAGAIN
            raise UserError(
                path,
                "another program has the file open for writing" if held else "the file cannot be read",
                expected=expected,
                found="its lock" if held else refusals.reason(error),
                remedy=refusals.remedy(error),
            ) from error
        unsigned = "signature not found" in text
        raise UserError(
            path,
            "not an HDF5 file" if unsigned else "not a whole HDF5 file",
            expected=expected,
            found=text,
            remedy=f"if a program is still writing or copying it, wait for that; or else {remedy}",
        ) from error


@contextmanager
def create_hdf5(path: Path, schema: str, attributes: Mapping[str, Any]) -> Iterator[h5py.File]:
    """Create a file whole: written under a temporary name, renamed when the body of the `with` is done.

    The same content gives the same bytes (no time stamps are stored).
    """
    with replacing(path) as partial, h5py.File(partial, "w") as file:
        file.attrs["schema"] = schema
        file.attrs.update(attributes)
        yield file


def ensure_room(file: h5py.File, size: int) -> None:
    """Check before a write that the disk has room for `size` more bytes.

    HDF5 itself notices only when it flushes chunks, possibly on closing, and then crashes instead of raising.

    Raises:
        OSError: With `errno.ENOSPC`, if fewer bytes would be left than HDF5 may still have to flush.
    """
    path = Path(file.filename)
    if shutil.disk_usage(path.parent).free < size + _FLUSHED_LATER:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path.as_posix())


def plain(value: Any) -> Any:
    """Turn an HDF5 attribute into the Python value it stands for; text of fixed length becomes str."""
    value = value.item() if isinstance(value, np.generic) else value
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
