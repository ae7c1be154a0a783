"""HDF5 files that say what they are: a schema name and attributes, checked on opening."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vireid.support.errors import UserError
from vireid.support.files import replacing

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
        UserError: If the file is missing, cut short, of another format, or lacks an attribute.
    """
    if not path.is_file():
        raise UserError(path, "the file is missing", expected=schema, found="nothing", remedy=remedy)
    try:
        file = h5py.File(path, "r", rdcc_nbytes=0)  # a cache of whole chunks halves the rate of single images
    except OSError as error:
        remedy = f"delete it and {remedy}"
        raise UserError(path, "not a whole HDF5 file", expected=schema, found=error, remedy=remedy) from error
    with file:
        found = plain(file.attrs.get("schema", "no attribute `schema`"))
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
