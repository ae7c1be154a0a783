"""SYSU-MM01's official galleries: for each camera and identity, ten shuffles of its images.

`rand_perm_cam.mat` comes with the authors' evaluation code, not with the images. Its variable `rand_perm_cam` is a
column of six cells, one per camera, of cells by identity; each holds a matrix whose rows are permutations of 1..n,
where v stands for the v-th of the n files by name. A gallery takes the first one or ten of a row.
"""

from collections.abc import Sequence
from dataclasses import replace
from io import BytesIO
from itertools import groupby
from pathlib import Path

import numpy as np

from vireid.data.records import ImageRecord
from vireid.data.tree import Tree
from vireid.support.errors import UserError

_EXPECTED = "a MATLAB file with the variable rand_perm_cam"
_REMEDY = (
    "copy rand_perm_cam.mat from the authors' evaluation code (github.com/wuancong/SYSU-MM01) into exp, "
    "or have none there and set dataset.gallery_draw: seeded"
)


def require_galleries(tree: Tree, name: str) -> None:
    """Check that the official galleries of a data set are read.

    Raises:
        UserError: If they are not there, or DVC would not see when they change.
    """
    tree.require([name], "the official galleries are missing", _EXPECTED, _REMEDY)


def with_official_places(records: Sequence[ImageRecord], path: Path) -> list[ImageRecord]:
    """Give each test image its places in the shuffles.

    Args:
        records: Ordered by split, modality, identity, camera and name.
        path: `rand_perm_cam.mat`; it is there.

    Raises:
        UserError: If the file is none of this kind, or does not fit the images.
    """
    shuffles = _read(path)
    placed = []
    for (split, camid, pid), cell in groupby(records, key=lambda record: (record.split, record.camid, record.pid)):
        images = list(cell)
        if split == "test":
            places = _places(path, shuffles, camid, pid, len(images))
            images = [
                replace(image, official_places=tuple(column))
                for image, column in zip(images, places.T.tolist(), strict=True)
            ]
        placed += images
    trials = {len(record.official_places) for record in placed if record.official_places is not None}
    if len(trials) > 1:
        raise UserError(
            path,
            "the official galleries differ in their number",
            expected="as many shuffles of each camera and identity",
            found=f"{min(trials)} to {max(trials)}",
            remedy=_REMEDY,
        )
    return placed


def _read(path: Path) -> np.ndarray:
    from scipy.io import loadmat

    content = BytesIO(path.read_bytes())  # where the system refuses that, the file is not to blame
    try:
        return loadmat(content)["rand_perm_cam"]  # type: ignore[arg-type] # it reads open files too
    except Exception as error:  # SciPy's parser raises whatever a broken file provokes
        problem, found = "not the official galleries", f"{type(error).__name__}: {error}"
        raise UserError(path, problem, expected=_EXPECTED, found=found, remedy=_REMEDY) from error


def _places(path: Path, shuffles: np.ndarray, camid: int, pid: int, count: int) -> np.ndarray:
    """Invert the shuffles of one camera and identity: (T, n), the place of each file in each row."""
    try:
        rows = np.atleast_2d(shuffles[camid - 1, 0][pid - 1, 0]).astype(np.int64)
    except (IndexError, TypeError, ValueError):
        rows = np.empty((0, 0), np.int64)
    whole = len(rows) > 0 and rows.shape[1] == count
    if not whole or (np.sort(rows, axis=1) != np.arange(1, count + 1)).any():
        raise UserError(
            path,
            "the official galleries are for other images",
            expected=f"permutations of the {count} images in cam{camid}/{pid:04d}",
            found=f"a matrix of shape {rows.shape}" + ", not of permutations" * whole,
            remedy=_REMEDY,
        )
    return np.argsort(rows, axis=1, kind="stable")
