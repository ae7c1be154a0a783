"""Images that stay in their HDF5 files until they are looked at."""

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from vireid.support.hdf5 import open_readable, reading

_EXPECTED = "images that can be read"


class StoredImages:
    """Behaves like the (N, H, W, 3) uint8 array it stands for, as far as data sets need.

    Indexing by a slice, a mask or an array of rows gives another one and reads nothing; `np.asarray` reads. So a
    data set larger than the memory can be split, overlaid and drawn from.

    Args:
        path: An images file.
        name: The array's name in it.
        remedy: What makes the file, as `support.hdf5.open_hdf5` takes it.

    Raises:
        UserError: If the file cannot be read, also later, when images are looked at.
    """

    def __init__(self, path: Path, name: str, remedy: str):
        self._remedy = remedy
        file = open_readable(path, _EXPECTED, remedy)  # kept open
        self._files: tuple[h5py.File, ...] = (file,)
        self._arrays: tuple[h5py.Dataset, ...] = (file[name],)
        self._row = np.arange(len(self._arrays[0]))  # of each image, in its array
        self._array = np.zeros_like(self._row)  # of each image, the number of its array

    def __len__(self) -> int:
        return len(self._row)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, 3)."""
        return len(self), *self._arrays[0].shape[1:]

    @property
    def nbytes(self) -> int:
        """Bytes that the images take in memory."""
        return int(np.prod(self.shape))

    def __getitem__(self, rows: slice | np.ndarray) -> "StoredImages":
        if isinstance(rows, int | np.integer):
            raise TypeError("images are taken by a slice or an array of rows, not one by one")
        chosen = self.copy()
        chosen._row, chosen._array = self._row[rows], self._array[rows]
        return chosen

    def __setitem__(self, rows: np.ndarray | list[int], images: "StoredImages") -> None:
        self._array[rows] = images._array + len(self._arrays)
        self._row[rows] = images._row
        self._files += images._files
        self._arrays += images._arrays

    def copy(self) -> "StoredImages":
        """Return another view of the same files, to which other images can be assigned."""
        twin = object.__new__(StoredImages)
        twin._files, twin._arrays, twin._remedy = self._files, self._arrays, self._remedy
        twin._row, twin._array = self._row.copy(), self._array.copy()
        return twin

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        out = np.empty(self.shape, np.uint8)
        for places in self._runs():
            first, last = places[0], places[-1]
            source = slice(self._row[first], self._row[last] + 1)
            array = self._arrays[self._array[first]]
            with reading(Path(array.file.filename), _EXPECTED, self._remedy):
                array.read_direct(out, source, slice(first, last + 1))
        return out if dtype is None else out.astype(dtype, copy=False)

    def _runs(self) -> Iterator[np.ndarray]:
        """Cut the images into runs that follow one another in one array, each read at once."""
        if len(self):
            breaks = (np.diff(self._row) != 1) | (np.diff(self._array) != 0)
            yield from np.split(np.arange(len(self)), np.flatnonzero(breaks) + 1)
