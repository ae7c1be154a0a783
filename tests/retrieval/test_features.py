"""The features file: what is written is read, and what is wrong is said. CPU, seconds."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.retrieval.made import feature_set, info_of, random_features
from vireid.data.records import Modality
from vireid.retrieval.features import read_features, write_features
from vireid.support.errors import UserError

VISIBLE = [(1, 1), (1, 2), (2, 1), (2, 4)]
INFRARED = [(1, 3), (2, 6)]
SOURCE = Path(__file__).resolve().parents[2] / "src"


def sets():
    visible, infrared = (
        feature_set(images, np.random.default_rng(len(images)).random((len(images), 3)))
        for images in (VISIBLE, INFRARED)
    )
    return [
        replace(images, embeddings=images.embeddings | {"pooled": images.embeddings["bn"][:, :2]})
        for images in (visible, infrared)
    ]


@pytest.fixture
def path(tmp_path):
    write_features(tmp_path / "features.h5", info_of(train_pids=(7, 8)), *sets())
    return tmp_path / "features.h5"


def edit(path, group, column, change):
    """Replace a column by what `change` makes of it."""
    with h5py.File(path, "r+") as file:
        values = change(file[f"{group}/{column}"][:])
        del file[f"{group}/{column}"]
        file[f"{group}/{column}"] = values


def refusal(path, embedding="default"):
    with pytest.raises(UserError) as error:
        read_features(path, embedding)
    assert error.value.remedy
    return str(error.value)


def test_what_is_written_is_read(path):
    features = read_features(path)
    visible, infrared = sets()
    assert (features.embedding, features.info.method, features.info.trial) == ("bn", "made", 0)
    assert features.info.train_pids.tolist() == [7, 8]
    for read, written in ((features.visible, visible), (features.group(Modality.INFRARED), infrared)):
        for column in ("pid", "camid", "name"):
            values = getattr(read, column)
            assert values.dtype == getattr(written, column).dtype
            assert values.tolist() == getattr(written, column).tolist()
        np.testing.assert_array_equal(read.embeddings["bn"], written.embeddings["bn"])
    np.testing.assert_array_equal(features.vectors(Modality.VISIBLE, np.array([2])), visible.embeddings["bn"][[2]])


def test_another_embedding_is_read_by_its_name(path):
    features = read_features(path, "pooled")
    assert features.embedding == "pooled"
    assert features.visible.embeddings["pooled"].shape == (4, 2)
    assert set(features.visible.embeddings) == {"pooled"}


def test_same_content_gives_the_same_bytes(path, tmp_path):
    write_features(tmp_path / "again.h5", info_of(train_pids=(7, 8)), *sets())
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("dtype", ["f2", "f8"])
def test_other_floating_point_types_are_read_as_float32(path, dtype):
    edit(path, "visible", "embeddings/bn", lambda values: values.astype(dtype))
    assert read_features(path).visible.embeddings["bn"].dtype == np.float32


def test_unknown_embedding_lists_those_there_are(path):
    message = refusal(path, "bm")
    assert "bn, pooled" in message
    assert "bm" in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_embedding_names_group_image_and_count(path, bad):
    def spoil(values):
        values[[1, 3], 0] = bad
        return values

    edit(path, "visible", "embeddings/bn", spoil)
    message = refusal(path)
    assert str(path) in message
    assert "/visible" in message
    assert "cam2/0001/0001.jpg" in message
    assert "2 of 4" in message
    assert read_features(path, "pooled").embedding == "pooled"


def test_embedding_beyond_float32_is_refused(path):
    edit(path, "infrared", "embeddings/bn", lambda values: values.astype("f8") + 1e39)
    assert "infinite" in refusal(path)


def test_not_finite_embedding_is_not_written(tmp_path):
    visible, infrared = sets()
    infrared.embeddings["pooled"][0] = np.nan
    with pytest.raises(UserError, match=r"cam3/0001/0001\.jpg"):
        write_features(tmp_path / "features.h5", info_of(), visible, infrared)
    assert list(tmp_path.iterdir()) == []


def test_identity_in_training_and_test_is_refused(tmp_path):
    write_features(tmp_path / "features.h5", info_of(train_pids=(2, 3)), *sets())
    message = refusal(tmp_path / "features.h5")
    assert "trained on" in message
    assert "the first is 2" in message


def test_junk_in_training_and_test_is_no_leak(tmp_path):
    visible, infrared = sets()
    visible = replace(visible, pid=np.where(visible.pid == 2, -1, visible.pid).astype(np.int32))
    infrared = replace(infrared, pid=np.where(infrared.pid == 2, -1, infrared.pid).astype(np.int32))
    write_features(tmp_path / "features.h5", info_of(train_pids=(-1, 2, 900)), visible, infrared)
    assert -1 in read_features(tmp_path / "features.h5").visible.pid


@pytest.mark.parametrize("column", ["pid", "camid", "name", "embeddings/bn"])
def test_columns_of_unequal_length_are_refused(path, column):
    edit(path, "visible", column, lambda values: values[:-1])
    assert "differ in length" in refusal(path)


def test_repeated_names_are_refused(path):
    edit(path, "visible", "name", lambda values: values[[0, 1, 1, 2]])
    assert "1 repetitions among 4" in refusal(path)


@pytest.mark.parametrize("column", ["pid", "name", "embeddings"])
def test_missing_column_is_named(path, column):
    with h5py.File(path, "r+") as file:
        del file[f"infrared/{column}"]
    message = refusal(path)
    assert "/infrared" in message
    assert f"no {column}" in message


def test_missing_group_is_named(path):
    with h5py.File(path, "r+") as file:
        del file["infrared"]
    assert "/infrared" in refusal(path)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("pid", lambda values: values + 0.5),
        ("name", lambda values: np.arange(len(values))),
        ("camid", lambda values: values[:, None]),
        ("embeddings/bn", lambda values: values.astype("i4")),
        ("embeddings/bn", lambda values: values[:, 0]),
        ("embeddings/bn", lambda values: values[:, :0]),
    ],
)
def test_columns_of_another_type_or_shape_are_refused(path, column, change):
    edit(path, "visible", column, change)
    assert "not a" in refusal(path)


def test_modalities_of_unequal_dimension_are_refused(path):
    edit(path, "visible", "embeddings/bn", lambda values: values[:, :2])
    assert "D = 2 and 3" in refusal(path)


def test_another_schema_is_refused(path):
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = "vireid.images/1"
    assert "vireid.features/1" in refusal(path)


@pytest.mark.parametrize("key", ["flip", "train_pids", "source_hash"])
def test_missing_attribute_is_named(path, key):
    with h5py.File(path, "r+") as file:
        del file.attrs[key]
    assert f"no ['{key}']" in refusal(path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("dataset", 7),
        ("method", [1, 2]),
        ("trial", "0"),
        ("trial", 0.0),
        ("flip", "no"),
        ("flip", 2),
        ("train_pids", [0.5]),
        ("train_pids", 7),
        ("train_pids", "1,2"),
    ],
)
def test_attribute_of_another_type_is_named(path, key, value):
    with h5py.File(path, "r+") as file:
        file.attrs[key] = value
    message = refusal(path)
    assert "another type" in message
    assert f"{key}: " in message


def test_other_tools_ways_to_write_the_same_are_read(path):
    with h5py.File(path, "r+") as file:
        file.attrs["train_pids"] = []  # h5py makes this float64
        file.attrs["trial"] = np.int16(0)
        file.attrs["flip"] = np.uint8(1)
        for key in ("schema", "method"):
            file.attrs[key] = np.bytes_(file.attrs[key])  # a string of fixed length
        names = file["visible/name"].asstr()[:]
        del file["visible/name"]
        file["visible/name"] = names.astype("S")
    edit(path, "visible", "pid", lambda values: values.astype("i8"))
    features = read_features(path)
    assert features.info.train_pids.tolist() == []
    assert (features.info.method, features.info.flip) == ("made", True)
    assert features.visible.name.tolist() == sets()[0].name.tolist()


def test_truncated_file_is_refused(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "not a whole HDF5 file" in refusal(path)


def test_missing_file_is_refused(tmp_path):
    assert "missing" in refusal(tmp_path / "features.h5")


def test_importing_the_file_format_does_not_import_torch():
    code = "import sys; import vireid.retrieval.features; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": str(SOURCE)}).returncode == 0


def test_location_is_written_and_read_where_there_is_one(tmp_path):
    visible, infrared = sets()
    path = tmp_path / "features.h5"
    visible, infrared = (
        replace(part, optional={"location": np.array(places)})
        for part, places in ((visible, [4, 3, 2, 1]), (infrared, [4, 5]))
    )
    write_features(path, info_of(), visible, infrared)
    features = read_features(path)
    assert features.visible.optional["location"].tolist() == [4, 3, 2, 1]
    assert features.infrared.optional["location"].tolist() == [4, 5]
    edit(path, "visible", "location", lambda values: values[:3])
    assert "differ in length" in refusal(path)


@pytest.mark.parametrize("without", ["visible", "infrared"])
def test_locations_of_one_modality_are_neither_read_nor_written(tmp_path, without):
    parts = dict(zip(("visible", "infrared"), sets(), strict=True))
    located = {name: replace(part, optional={"location": np.arange(len(part))}) for name, part in parts.items()}
    path = tmp_path / "features.h5"
    with pytest.raises(UserError, match="only one modality"):
        write_features(path, info_of(), **(located | {without: parts[without]}))
    assert not path.exists()
    write_features(path, info_of(), **located)
    with h5py.File(path, "r+") as file:
        del file[f"{without}/location"]
    message = refusal(path)
    assert "only one modality" in message
    assert f"one in /{({'visible', 'infrared'} - {without}).pop()} only" in message


def test_several_embeddings_are_ranked_as_one_of_unit_parts(path):
    features = read_features(path, "pooled+bn")
    assert features.embedding == "pooled+bn"
    for read, written in zip((features.visible, features.infrared), sets(), strict=True):
        both = read.embeddings["pooled+bn"]
        assert both.dtype == np.float32
        for name, found in (("pooled", both[:, :2]), ("bn", both[:, 2:])):
            vectors = written.embeddings[name].astype(np.float64)
            np.testing.assert_allclose(found, vectors / np.linalg.norm(vectors, axis=1)[:, None], rtol=1e-6)


def test_default_and_a_row_of_zeros_may_be_joined(path):
    edit(path, "visible", "embeddings/bn", lambda values: values * np.array([[0], [1], [1], [1]], "f4"))
    features = read_features(path, "default+pooled")
    assert features.embedding == "bn+pooled"
    assert features.visible.embeddings["bn+pooled"][0, :3].tolist() == [0, 0, 0]
    lengths = np.linalg.norm(features.visible.embeddings["bn+pooled"], axis=1)
    np.testing.assert_allclose(lengths, [1, 2**0.5, 2**0.5, 2**0.5], rtol=1e-6)


@pytest.mark.parametrize("name", ["bn+pooed", "bn+", "+"])
def test_unknown_part_lists_those_there_are(path, name):
    message = refusal(path, name)
    assert "bn, pooled" in message
    assert name in message


def test_not_finite_part_is_refused(path):
    edit(path, "infrared", "embeddings/pooled", lambda values: values + np.nan)
    assert "2 of 2 images" in refusal(path, "bn+pooled")


@pytest.mark.parametrize(
    ("key", "values"), [("location", [0.5] * 4), ("location", [[1]] * 4), ("official_places", [1] * 4)]
)
def test_optional_column_of_another_kind_is_refused(tmp_path, key, values):
    visible, infrared = sets()
    path = tmp_path / "features.h5"
    write_features(path, info_of(), visible, infrared)
    with h5py.File(path, "r+") as file:
        file[f"visible/{key}"] = np.array(values)
    assert f"/visible/{key} is not a column" in refusal(path)


def rewritten(path, key, **values):
    """Replace a part of a features file."""
    with h5py.File(path, "a") as file:
        del file[key]
        if values:
            file.create_dataset(key, **values)
        else:
            file.create_group(key)


@pytest.fixture
def written(tmp_path):
    """A whole features file."""
    features = random_features(pids=range(1, 5))
    write_features(tmp_path / "f.h5", features.info, features.visible, features.infrared)
    return tmp_path / "f.h5", len(features.visible)


@pytest.mark.parametrize("key", ["visible", "visible/embeddings"])
def test_array_in_the_place_of_a_group_is_refused(written, key):
    path, _ = written
    rewritten(path, key, data=[1.0])
    with pytest.raises(UserError, match="not complete"):
        read_features(path)


@pytest.mark.parametrize("key", ["visible/pid", "visible/embeddings/bn"])
def test_group_in_the_place_of_an_array_is_refused(written, key):
    path, _ = written
    rewritten(path, key)
    with pytest.raises(UserError):
        read_features(path)


def test_names_that_are_not_text_are_refused(written):
    path, count = written
    rewritten(path, "visible/name", shape=(count,), dtype=h5py.vlen_dtype(np.int32))
    with pytest.raises(UserError, match="name is not a column"):
        read_features(path)
    rewritten(path, "visible/name", data=[b"\xff%d" % row for row in range(count)], dtype=h5py.string_dtype())
    with pytest.raises(UserError, match="not UTF-8"):
        read_features(path)


@pytest.mark.parametrize("large", [2**31, 2**32 + 1, 2**40 + 5])
def test_identities_that_a_column_cannot_hold_are_refused_and_never_wrapped(written, large):
    path, count = written
    rewritten(path, "visible/pid", data=np.full(count, large, np.int64))
    with pytest.raises(UserError, match="too large"):
        read_features(path)


def test_training_identities_that_wrap_onto_test_ones_are_refused_as_too_large(written):
    path, _ = written
    with h5py.File(path, "a") as file:
        file.attrs["train_pids"] = np.array([2**32 + 1], np.int64)
    with pytest.raises(UserError, match="train_pids are too large"):
        read_features(path)
