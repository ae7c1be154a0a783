"""The lists that data sets bring along: one line of identities, or one image and its label a line."""

import re
from collections import Counter
from io import BytesIO
from pathlib import Path

import numpy as np

from vireid.data.layout_checks import few_of
from vireid.data.tree import Tree
from vireid.support.errors import UserError
from vireid.support.files import inside
from vireid.support.text_files import read_text

_ID_LINE = re.compile(r"\d+(,\d+)*,?")
_REMEDY = "restore the official file"
_IMAGE_LINE = re.compile(r"(?P<name>\S.*?)\s+(?P<label>\d+)")


def require_list(tree: Tree, name: str) -> Path:
    """Check that a list of a data set is read, and give its path.

    Raises:
        UserError: If it is not there, or DVC would not see when it changes.
    """
    remedy = f"copy the {Path(name).parent} folder that comes with the data set"
    tree.require([name], "a split file is missing", "the data set's own lists", remedy)
    return tree.root / name


def read_pids(path: Path) -> set[int]:
    """Read one line of comma-separated identities.

    Raises:
        UserError: If the file holds anything else, or names an identity twice.
    """
    expected = "one line of comma-separated integers"
    text = read_text(path, "not a split file", expected, _REMEDY).strip()
    if not _ID_LINE.fullmatch(text):
        raise UserError(path, "not a split file", expected=expected, found=repr(text[:60]), remedy=_REMEDY)
    return _each_once(path, [int(item) for item in text.split(",") if item])


def read_matlab_pids(path: Path) -> set[int]:
    """Read the variable `id`, a matrix of identities, from a MATLAB file.

    Raises:
        UserError: If the file holds anything else, or names an identity twice.
    """
    from scipy.io import loadmat

    content = BytesIO(path.read_bytes())  # where the system refuses that, the file is not to blame
    try:
        values = loadmat(content)["id"].ravel()  # type: ignore[arg-type] # it reads open files too
        pids = [int(value) for value in values]
        if not pids or min(pids) < 0 or (values != values.astype(np.int64)).any():
            raise ValueError(f"not identities: {values[:10]}")
    except Exception as error:  # SciPy's parser raises whatever a broken file provokes
        raise UserError(
            path,
            "not a split file",
            expected="a MATLAB file with a matrix `id` of integers",
            found=f"{type(error).__name__}: {error}",
            remedy=f"{_REMEDY}, or write the identities as a text file beside it",
        ) from error
    return _each_once(path, pids)


def _each_once(path: Path, pids: list[int]) -> set[int]:
    repeated = {pid for pid, count in Counter(pids).items() if count > 1}
    if repeated:
        raise UserError(
            path,
            "an identity is listed twice",
            expected="each identity once",
            found=few_of(repeated),
            remedy=_REMEDY,
        )
    return set(pids)


def read_images(tree: Tree, name: str) -> dict[str, int]:
    """Read a list of images: `relative/path label` on each line; blank lines are passed over.

    Args:
        tree: The data set.
        name: The list, relative to it.

    Returns:
        The images' names, as listed, and their labels.

    Raises:
        UserError: If the list is missing or empty, a line is of another form, an image stands in it twice, or a
            path leads out of the data set.
    """
    path = require_list(tree, name)
    expected = "`relative/path label` on each line"
    labels: dict[str, int] = {}
    lines = read_text(path, "not an image list", expected, _REMEDY).splitlines()
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text:
            continue
        match = _IMAGE_LINE.fullmatch(text)
        if match is None:
            raise _refused(path, number, "not a line of an image list", expected, text)
        try:
            inside(tree.root, match["name"])
        except UserError as error:
            raise _refused(path, number, error.problem, "paths below the data set", match["name"]) from error
        if match["name"] in labels:
            raise _refused(path, number, "an image is listed twice", "each image once", match["name"])
        labels[match["name"]] = int(match["label"])
    if not labels:
        raise _refused(path, 1, "the list is empty", expected, "no image")
    return labels


def _refused(path: Path, number: int, problem: str, expected: str, found: str) -> UserError:
    where = f"{path}, line {number}"
    return UserError(where, problem, expected=expected, found=repr(found[:80]), remedy=_REMEDY)
