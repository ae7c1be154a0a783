"""images.h5 and overlays: what is written is read, and broken or foreign files are refused. CPU, seconds."""

import errno
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from vireid.data.records import ImageRecord, Modality
from vireid.data.store import SCHEMA, ImageSet, ImagesInfo, create_images, open_images
from vireid.support.errors import UserError

INFO = ImagesInfo("made", 3, 6, 4, "ab" * 32, "srcnn camera 1, weights 0123")


def records_of(pids, split="train", modality=Modality.VISIBLE, camid=1):
    return [ImageRecord(f"cam{camid}/{pid:04d}/é {pid}.jpg", pid, camid, modality, split) for pid in pids]


def pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 4, 3), np.uint8)


def write(path, info=INFO):
    with create_images(path, info) as writer:
        writer.append(records_of([5, 7]), pixels(2))
        writer.append(records_of([2], "test", Modality.INFRARED, 6), pixels(1, 1))
        writer.append(records_of([9]), pixels(1, 2))
    return path


def image_set(names, seed=0):
    count = len(names)
    return ImageSet(pixels(count, seed), np.arange(count), np.ones(count), np.array(names, object))


def test_what_is_written_is_read(tmp_path):
    with open_images(write(tmp_path / "images.h5")) as file:
        assert file.info == INFO
        found = file.read("train", Modality.VISIBLE)
        other = file.read("test", Modality.INFRARED)
    assert np.array_equal(found.image, np.concatenate([pixels(2), pixels(1, 2)]))
    assert found.pid.tolist() == [5, 7, 9]
    assert found.camid.tolist() == [1, 1, 1]
    assert found.name.tolist() == [record.name for record in records_of([5, 7, 9])]
    assert (other.pid.tolist(), other.camid.tolist()) == ([2], [6])
    assert np.array_equal(other.image, pixels(1, 1))


def test_format_is_the_documented_one(tmp_path):
    with h5py.File(write(tmp_path / "images.h5")) as file:
        assert file.attrs["schema"] == SCHEMA == "vireid.images/1"
        assert set(file.attrs) == {
            "schema",
            "dataset",
            "trial",
            "height",
            "width",
            "source_hash",
            "superresolve",
            "sixteen_bit",
        }
        for split in ("train", "test"):
            assert set(file[split]) == {"visible", "infrared"}
        group = file["train/visible"]
        assert (group["image"].dtype, group["pid"].dtype, group["camid"].dtype) == ("u1", "i4", "i2")
        assert group["name"].asstr()[0] == "cam1/0005/é 5.jpg"


def test_same_content_gives_the_same_bytes(tmp_path):
    assert write(tmp_path / "a.h5").read_bytes() == write(tmp_path / "b.h5").read_bytes()


def test_empty_group_is_read_as_no_images(tmp_path):
    with open_images(write(tmp_path / "images.h5")) as file:
        found = file.read("test", Modality.VISIBLE)
    assert len(found) == 0
    assert found.image.shape == (0, 6, 4, 3)


def test_identities_of_a_split_are_those_of_both_modalities(tmp_path):
    with open_images(write(tmp_path / "images.h5")) as file:
        assert file.pids("train").tolist() == [5, 7, 9]
        assert file.pids("test").tolist() == [2]


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing") as error, open_images(tmp_path / "none.h5"):
        pass
    assert "dvc repro" in error.value.remedy


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
def test_file_cut_short_is_refused(tmp_path, share):
    path = write(tmp_path / "images.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"not an? (whole )?HDF5 file"), open_images(path):
        pass


@pytest.mark.parametrize("schema", ["vireid.images/2", "vireid.features/1", 1])
def test_other_schema_is_refused(tmp_path, schema):
    path = write(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        file.attrs["schema"] = schema
    with pytest.raises(UserError, match="another file format") as error, open_images(path):
        pass
    assert error.value.expected == "vireid.images/1"


def test_hdf5_file_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(UserError, match="another file format"), open_images(tmp_path / "other.h5"):
        pass


def test_file_that_does_not_say_how_16_bit_images_were_read_was_read_by_their_full_range(tmp_path):
    path = write(tmp_path / "images.h5", replace(INFO, sixteen_bit="window 7000.0 8100.0"))
    with open_images(path) as file:
        assert file.info.sixteen_bit == "window 7000.0 8100.0"
    with h5py.File(path, "a") as file:
        del file.attrs["sixteen_bit"]
    with open_images(path) as file:
        assert file.info.sixteen_bit == "full"


def test_missing_attribute_is_named(tmp_path):
    path = write(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        del file.attrs["height"]
    with pytest.raises(UserError, match="height"), open_images(path):
        pass


@pytest.mark.parametrize("group", ["train", "test/infrared", "train/visible/image", "train/visible/name"])
def test_missing_group_or_column_is_refused(tmp_path, group):
    path = write(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        del file[group]
    with pytest.raises(UserError, match="is not complete"), open_images(path):
        pass


@pytest.mark.parametrize(
    ("column", "values"), [("pid", [1]), ("pid", [0.5] * 3), ("image", np.zeros((3, 2, 2, 3)))]
)
def test_column_of_another_length_kind_or_size_is_refused(tmp_path, column, values):
    path = write(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        del file["train/visible"][column]
        file["train/visible"][column] = values
    with (
        pytest.raises(UserError, match=r"not a column|differ in length") as error,
        open_images(path),
    ):
        pass
    assert column in f"{error.value.problem} {error.value.found}"


def test_names_that_are_not_text_in_utf_8_are_refused(tmp_path):
    path = write(tmp_path / "images.h5")
    with h5py.File(path, "a") as file:
        del file["train/visible/name"]
        file.create_dataset("train/visible/name", data=[b"\xff"] * 3, dtype=h5py.string_dtype())
    with open_images(path) as file, pytest.raises(UserError, match="/train/visible/name is not UTF-8"):
        file.records("train", Modality.VISIBLE)


def test_error_while_writing_leaves_no_file(tmp_path):
    with pytest.raises(TypeError), create_images(tmp_path / "images.h5", INFO) as writer:
        writer.append(records_of([1, 2]), pixels(3))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_an_error_that_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 10**6))
    with pytest.raises(OSError) as error:
        write(tmp_path / "images.h5")
    assert error.value.errno == errno.ENOSPC
    assert "images.h5" in error.value.filename
    assert list(tmp_path.iterdir()) == []


def test_overlay_replaces_by_name_and_nothing_else():
    base, overlay = image_set(["a", "b", "c"]), image_set(["c", "a"], seed=1)
    before = base.image.copy()
    found = base.overlaid(overlay)
    assert np.array_equal(found.image, np.stack([overlay.image[1], before[1], overlay.image[0]]))
    assert np.array_equal(base.image, before)
    assert found.pid is base.pid


def test_empty_overlay_changes_nothing():
    base = image_set(["a", "b"])
    assert np.array_equal(base.overlaid(image_set([])).image, base.image)


def test_overlay_with_an_unknown_name_is_refused():
    with pytest.raises(UserError, match="no original") as error:
        image_set(["a"]).overlaid(image_set(["a", "x"]))
    assert error.value.where == "x"
