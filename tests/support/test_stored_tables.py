"""Tables in HDF5 files: what fits a declaration, and what is said of the rest. CPU."""

import h5py
import numpy as np
import pytest

from vireid.support.errors import UserError
from vireid.support.stored_tables import StoredColumn, StoredTable, read_text

TABLE = StoredTable(
    [
        StoredColumn("image", "bytes", (4, 2, 3)),
        StoredColumn("pid", "whole numbers"),
        StoredColumn("name", "text"),
        StoredColumn("vectors", "floating-point numbers", (None,)),
        StoredColumn("location", "whole numbers", is_optional=True),
    ]
)
GOOD = {
    "image": np.zeros((3, 4, 2, 3), np.uint8),
    "pid": np.arange(3, dtype="i4"),
    "name": ["a", "b", "c"],
    "vectors": np.zeros((3, 7), "f4"),
}


def checked(path, group="test/visible", **changes):
    with h5py.File(path, "w") as file:
        for key, values in (GOOD | changes).items():
            if values is not None:
                file[f"{group}/{key}" if group else key] = values
        TABLE.check(path, file, group, "make it anew")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.h5"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pid": np.arange(3, dtype="u8")},
        {"vectors": np.zeros((3, 1), "f8")},
        {"location": np.zeros(3, "i2")},
        {"name": np.array([b"a", b"b", b"c"])},
        {"another": np.zeros(99)},
    ],
)
def test_any_width_and_what_is_optional_or_more_fits(path, changes):
    checked(path, **changes)
    checked(path, group="", **changes)


@pytest.mark.parametrize(
    ("column", "values", "expected", "found"),
    [
        ("image", np.zeros((3, 4, 3, 3), np.uint8), "(N, 4, 2, 3) bytes", "(3, 4, 3, 3) uint8"),
        ("image", np.zeros((3, 4, 2, 3), np.uint16), "(N, 4, 2, 3) bytes", "(3, 4, 2, 3) uint16"),
        ("pid", np.zeros(3), "(N,) whole numbers", "(3,) float64"),
        ("pid", np.zeros((3, 1), "i4"), "(N,) whole numbers", "(3, 1) int32"),
        ("pid", 7, "(N,) whole numbers", "() int64"),
        ("name", np.arange(3), "(N,) text", "(3,) int64"),
        ("vectors", np.zeros((3, 2), "i4"), "(N, any) floating-point numbers", "(3, 2) int32"),
        ("location", np.zeros(3), "(N,) whole numbers", "(3,) float64"),
    ],
)
def test_column_of_another_kind_or_shape_is_named_with_both(path, column, values, expected, found):
    with pytest.raises(UserError, match=f"/test/visible/{column} is not a column") as error:
        checked(path, **{column: values})
    assert (error.value.expected, error.value.found, error.value.remedy) == (expected, found, "make it anew")


def test_group_in_the_place_of_a_column_is_named(path):
    with pytest.raises(UserError, match="pid is not a column") as error:
        checked(path, **{"pid": None, "pid/inner": np.zeros(3)})
    assert error.value.found == "a group"


def test_missing_columns_are_all_named(path):
    with pytest.raises(UserError, match="group /test/visible is not complete") as error:
        checked(path, pid=None, name=None)
    assert (error.value.expected, error.value.found) == ("image, pid, name, vectors", "no pid, name")


@pytest.mark.parametrize("group", ["nowhere", "test/visible/pid"])
def test_missing_group_is_named(path, group):
    checked(path)
    with h5py.File(path) as file, pytest.raises(UserError, match=f"/{group} is not complete") as error:
        TABLE.check(path, file, group, "make it anew")
    assert error.value.found == "no such group"


@pytest.mark.parametrize("column", ["pid", "location"])
def test_lengths_that_differ_are_all_named(path, column):
    with pytest.raises(UserError, match="differ in length") as error:
        checked(path, **{column: np.zeros(2, "i4")})
    assert f"{column}: 2" in error.value.found
    assert "vectors: 3" in error.value.found


def test_text_is_read_and_other_bytes_are_refused(path):
    with h5py.File(path, "w") as file:
        file["good"] = ["a", "é"]
        file.create_dataset("bad", data=[b"a", b"\xff"], dtype=h5py.string_dtype())
        assert read_text(path, file["good"], "make it anew").tolist() == ["a", "é"]
        with pytest.raises(UserError, match="/bad is not UTF-8") as error:
            read_text(path, file["bad"], "make it anew")
    assert (error.value.where, error.value.remedy) == (path, "make it anew")
