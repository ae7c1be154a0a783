"""LLCM's lists and folders: what is found, in which order, and what is refused. CPU, seconds."""

import shutil

import pytest

from tests.datasets.listing import llcm_images
from tests.made import draw_llcm, edit_list
from vireid.data.records import Modality
from vireid.support.errors import UserError

LISTED = "vis/0001/0001_c01_s000000_f0_vis.jpg"


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A data set of three training and two test identities, one image per camera; not to be changed."""
    return draw_llcm(tmp_path_factory.mktemp("llcm") / "data")


def test_every_image_is_found_once_with_identity_camera_modality_and_split(drawn):
    records = llcm_images(drawn)
    assert sorted(r.name for r in records) == sorted(p.relative_to(drawn).as_posix() for p in drawn.rglob("*.jpg"))
    for record in records:
        stem = f"{record.pid:04d}_c{record.camid:02d}_s000000_f0"
        word = "vis" if record.modality is Modality.VISIBLE else "nir"
        folder = word if record.split == "train" else f"test_{word}/cam{record.camid}"
        assert record.name == f"{folder}/{record.pid:04d}/{stem}_{word}.jpg"
    assert {r.pid for r in records if r.split == "train"} == {1, 5, 9}
    assert {r.pid for r in records if r.split == "test"} == {2, 14}
    assert {r.camid for r in records if r.modality is Modality.INFRARED} == {1, 2, 4, 5, 6, 7, 8, 9}


def test_order_is_split_modality_identity_camera_name(drawn):
    records = llcm_images(drawn)
    keys = [(r.split == "test", r.modality != Modality.VISIBLE, r.pid, r.camid, r.name) for r in records]
    assert keys == sorted(keys)


def test_test_identities_outside_the_list_are_left_out(root):
    (root / "idx" / "test_id.txt").write_text("2")
    assert {r.pid for r in llcm_images(root) if r.split == "test"} == {2}


@pytest.mark.parametrize("folder", ["vis", "nir", "test_vis", "test_nir", "idx"])
def test_missing_folder_is_named(root, folder):
    shutil.rmtree(root / folder)
    with pytest.raises(UserError, match="not in LLCM's layout") as error:
        llcm_images(root)
    assert error.value.found == f"no {folder}"


@pytest.mark.parametrize("name", ["train_vis.txt", "train_nir.txt", "test_id.txt"])
def test_missing_list_is_named(root, name):
    (root / "idx" / name).unlink()
    with pytest.raises(UserError, match="split file is missing") as error:
        llcm_images(root)
    assert error.value.where.name == name


@pytest.mark.parametrize("change", ["lost", "stray"])
def test_cameras_other_than_those_of_the_data_set_are_refused(root, change):
    if change == "lost":
        shutil.rmtree(root / "test_nir" / "cam4")
    else:
        (root / "test_nir" / "cam3").mkdir()
    with pytest.raises(UserError, match="not the cameras of LLCM") as error:
        llcm_images(root)
    assert error.value.where == root / "test_nir"


def test_camera_whose_folder_is_empty_is_named(root):
    for folder in (root / "test_vis" / "cam5").iterdir():
        shutil.rmtree(folder)
    with pytest.raises(UserError, match="a camera without an image") as error:
        llcm_images(root)
    assert error.value.where == root / "test_vis" / "cam5"


def test_identity_in_train_and_test_is_refused(root):
    (root / "idx" / "test_id.txt").write_text("2,5,14")
    with pytest.raises(UserError, match="both train and test") as error:
        llcm_images(root)
    assert error.value.found == "5"


def test_test_identity_without_any_image_is_refused(root):
    (root / "idx" / "test_id.txt").write_text("2,14,300")
    with pytest.raises(UserError, match="identity 300 of the test split has no image"):
        llcm_images(root)


@pytest.mark.parametrize(
    "name",
    [
        "nir/0001/0001_c01_s000000_f0_nir.jpg",
        "vis/0001/0001_c01_s000000_f0_nir.jpg",
        "vis/0001/0005_c01_s000000_f0_vis.jpg",
        "vis/0001/0001_c10_s000000_f0_vis.jpg",
        "vis/0001/0001_s000000_f0_vis.jpg",
        "test_vis/cam1/0001/0001_c01_s000000_f0_vis.jpg",
        "vis/1/1_c01_s000000_f0_vis.jpg",
    ],
)
def test_training_name_that_is_not_of_the_layout_is_refused(root, name):
    edit_list(root, "train_vis.txt", LISTED, name)
    with pytest.raises(UserError, match="not a vis training image") as error:
        llcm_images(root)
    assert error.value.found == name


def test_path_that_climbs_out_is_refused(root):
    edit_list(root, "train_vis.txt", LISTED, f"../{LISTED}")
    with pytest.raises(UserError, match="leads out"):
        llcm_images(root)


def test_labels_that_disagree_with_the_folders_are_refused(root):
    edit_list(root, "train_vis.txt", f"{LISTED} 0", f"{LISTED} 1")
    with pytest.raises(UserError, match="labels and folders disagree"):
        llcm_images(root)


def test_missing_training_image_is_named(root):
    (root / LISTED).unlink()
    with pytest.raises(UserError, match="listed image is missing") as error:
        llcm_images(root)
    assert error.value.where == root / LISTED


@pytest.mark.parametrize("name", ["notes.txt", "0002.jpg.part"])
def test_stray_test_file_is_refused_by_name(root, name):
    (root / "test_vis" / "cam8" / "0002" / name).write_bytes(b"x")
    with pytest.raises(UserError, match="not of the layout") as error:
        llcm_images(root)
    assert error.value.found == f"test_vis/cam8/0002/{name}"
