"""SYSU-MM01's folders and split files: what is found, in which order, and what is refused. CPU, seconds."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from tests.datasets.listing import sysu_images
from tests.made import CAMERAS, IMAGES_PER_CAMERA, ROOT, TEST, TRAIN, VAL, draw_dataset
from vireid.data.official_galleries import with_official_places
from vireid.data.records import ImageRecord, Modality
from vireid.support.errors import UserError

LISTS = ROOT.parent / "shared" / "sysu-mm01"


@pytest.fixture
def root(tmp_path):
    """A data set of three identities with one image per camera, to be broken."""
    return draw_dataset(tmp_path / "data", train=(1,), val=(2,), test=(3,), images=1)


def test_every_image_is_found_once_with_its_identity_camera_and_modality(dataset):
    records = sysu_images(dataset)
    names = [record.name for record in records]
    assert sorted(names) == sorted(path.relative_to(dataset).as_posix() for path in dataset.rglob("*.jpg"))
    for record in records:
        camera, folder, _ = record.name.split("/")
        assert (camera, folder) == (f"cam{record.camid}", f"{record.pid:04d}")
        assert record.modality.group == CAMERAS[record.camid]


def test_training_uses_train_and_val(dataset):
    records = sysu_images(dataset)
    pids = {split: {r.pid for r in records if r.split == split} for split in ("train", "test")}
    assert pids == {"train": {*TRAIN, *VAL}, "test": {*TEST}}
    assert len(records) == (len(TRAIN) + len(VAL) + len(TEST)) * len(CAMERAS) * IMAGES_PER_CAMERA


def test_order_is_split_modality_identity_camera_name(dataset):
    records = sysu_images(dataset)
    keys = [(r.split == "test", r.modality != Modality.VISIBLE, r.pid, r.camid, r.name) for r in records]
    assert keys == sorted(keys)


def test_order_does_not_depend_on_the_order_of_creation(tmp_path):
    forth, back = tmp_path / "forth", tmp_path / "back"
    draw_dataset(forth, train=(1, 2), val=(3,), test=(4,))
    for path in sorted(forth.rglob("*.*"), reverse=True):
        target = back / path.relative_to(forth)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert sysu_images(back) == sysu_images(forth)


def test_identities_outside_the_split_files_are_left_out(root):
    draw_dataset(root / "more", train=(9,), val=(), test=(), images=1)
    shutil.move(root / "more" / "cam1" / "0009", root / "cam1" / "0009")
    assert {record.pid for record in sysu_images(root)} == {1, 2, 3}


def test_identity_may_be_missing_in_some_cameras(root):
    shutil.rmtree(root / "cam2" / "0001")
    assert {r.camid for r in sysu_images(root) if r.pid == 1} == {1, 3, 4, 5, 6}


@pytest.mark.parametrize("name", ["0007.JPG", "7.png", "00000007.bmp", "0007.jpeg"])
def test_image_suffixes_in_either_case_are_taken(root, name):
    shutil.copy(root / "cam1" / "0001" / "0001.jpg", root / "cam1" / "0001" / name)
    assert f"cam1/0001/{name}" in {record.name for record in sysu_images(root)}


@pytest.mark.parametrize("text", ["1\n", "1,", "01\n"])
def test_split_file_may_end_in_a_comma(root, text):
    (root / "exp" / "train_id.txt").write_text(text)
    assert [r.pid for r in sysu_images(root) if r.split == "train"].count(1) == len(CAMERAS)


@pytest.mark.parametrize("text", ["1,4,1\n", "1,01"])
def test_identity_that_is_listed_twice_is_named(root, text):
    (root / "exp" / "train_id.txt").write_text(text)
    with pytest.raises(UserError, match="listed twice") as error:
        sysu_images(root)
    assert error.value.where.name == "train_id.txt"
    assert error.value.found == "1"


def test_file_in_the_place_of_an_identitys_folder_is_refused(root):
    shutil.rmtree(root / "cam1" / "0001")
    (root / "cam1" / "0001").write_bytes(b"")
    with pytest.raises(UserError, match="not a folder") as error:
        sysu_images(root)
    assert error.value.where == root / "cam1" / "0001"


def test_stray_files_are_counted_and_the_first_named(root):
    for folder in ("cam3/0002", "cam1/0001"):
        (root / folder / "notes.txt").touch()
    with pytest.raises(UserError, match="not of the layout") as error:
        sysu_images(root)
    assert error.value.where == root / "cam1" / "0001" / "notes.txt"
    assert error.value.found.startswith("2 such files")


def test_cameras_whose_folders_are_empty_are_named(root):
    for camera in ("cam2", "cam6"):
        for folder in (root / camera).iterdir():
            shutil.rmtree(folder)
    with pytest.raises(UserError, match="a camera without an image") as error:
        sysu_images(root)
    assert error.value.where == root / "cam2"
    assert error.value.found == "none in cam2, cam6"


def test_missing_camera_is_named(root):
    shutil.rmtree(root / "cam4")
    shutil.rmtree(root / "cam6")
    with pytest.raises(UserError, match="not in SYSU-MM01's layout") as error:
        sysu_images(root)
    assert "cam4, cam6" in error.value.found
    assert "cam1," not in error.value.found


@pytest.mark.parametrize("name", ["train_id.txt", "val_id.txt", "test_id.txt"])
def test_missing_split_file_is_named(root, name):
    (root / "exp" / name).unlink()
    with pytest.raises(UserError, match="split file is missing") as error:
        sysu_images(root)
    assert error.value.where.name == name


@pytest.mark.parametrize("text", ["", "\n", "1;2", "1,2x", "1 2", "-1", "1,,2", ",1", "1.0", "1\n2\n"])
def test_garbled_split_file_is_refused(root, text):
    (root / "exp" / "val_id.txt").write_text(text)
    with pytest.raises(UserError, match="not a split file") as error:
        sysu_images(root)
    assert error.value.where.name == "val_id.txt"


@pytest.mark.parametrize("content", [b"1,\xff", "1\u00a0".encode("latin-1"), "1,2".encode("utf-16"), b"\x00"])
def test_split_file_that_is_not_text_is_refused(root, content):
    (root / "exp" / "train_id.txt").write_bytes(content)
    with pytest.raises(UserError, match="not a split file"):
        sysu_images(root)


def test_byte_order_mark_before_a_list_of_identities_changes_nothing(root):
    expected = sysu_images(root)
    for name in ("train_id.txt", "val_id.txt", "test_id.txt"):
        path = root / "exp" / name
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b" \r\n"))
    assert sysu_images(root) == expected


@pytest.mark.parametrize("text", ["1,\u200b2", "1\ufeff,2", "1,\u00a02"])
def test_invisible_characters_of_a_list_of_identities_are_shown(root, text):
    (root / "exp" / "train_id.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="not a split file") as error:
        sysu_images(root)
    assert error.value.found == repr(text)
    assert error.value.found.isprintable()


def test_invisible_character_in_a_files_name_is_shown(root):
    (root / "cam1" / "0001" / "0001\u200b.jpg").touch()
    with pytest.raises(UserError, match="not of the layout") as error:
        sysu_images(root)
    assert error.value.found == r"cam1/0001/0001\u200b.jpg"


@pytest.mark.parametrize("name", ["train_id.txt", "val_id.txt"])
def test_identity_in_train_and_test_is_refused(root, name):
    (root / "exp" / name).write_text("1,2,3")
    with pytest.raises(UserError, match="both train and test") as error:
        sysu_images(root)
    assert error.value.found == "3"


def test_identity_without_any_image_is_refused(root):
    (root / "exp" / "test_id.txt").write_text("3,333")
    with pytest.raises(UserError, match=re.escape("identity 333 of the test split has no image")):
        sysu_images(root)


@pytest.mark.parametrize("name", ["notes.txt", "0001 (copy).jpg", "a.jpg", "0001.jpg.part", "ф.png"])
def test_stray_file_is_refused_by_name(root, name):
    (root / "cam5" / "0002" / name).write_bytes(b"x")
    with pytest.raises(UserError, match="not of the layout") as error:
        sysu_images(root)
    assert error.value.found == f"cam5/0002/{name}"


def test_folder_below_an_identity_is_refused(root):
    (root / "cam5" / "0002" / "more").mkdir()
    with pytest.raises(UserError, match="not of the layout"):
        sysu_images(root)


def test_validation_identities_can_be_left_out_of_training(dataset):
    records = sysu_images(dataset, train_on_val=False)
    assert {record.pid for record in records if record.split == "train"} == {*TRAIN}
    assert {record.pid for record in records} == {*TRAIN, *TEST}


def test_matlab_lists_are_read_where_there_is_no_text(root):
    expected = sysu_images(root)
    for name, pid in (("train", 1), ("val", 2), ("test", 3)):
        (root / "exp" / f"{name}_id.txt").unlink()
        savemat(root / "exp" / f"{name}_id.mat", {"id": np.array([[pid]], np.uint16)})
    assert sysu_images(root) == expected


def test_text_goes_before_matlab(root):
    expected = sysu_images(root)
    savemat(root / "exp" / "train_id.mat", {"id": np.array([[3]])})
    assert sysu_images(root) == expected


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0", {"ids": [1]}, {"id": [1.5]}, {"id": []}, {"id": "1,2"}])
def test_broken_matlab_list_is_refused(root, content):
    (root / "exp" / "test_id.txt").unlink()
    path = root / "exp" / "test_id.mat"
    path.write_bytes(content) if isinstance(content, bytes) else savemat(path, content)
    with pytest.raises(UserError, match="not a split file") as error:
        sysu_images(root)
    assert error.value.where == path


@pytest.mark.parametrize(
    ("folders", "hint"),
    [
        (("Visible", "Thermal", "idx"), "it looks like RegDB"),
        (("vis", "nir", "test_vis", "test_nir", "idx"), "it looks like LLCM"),
        (("set/Visible", "set/Thermal", "set/idx"), "its folder set looks like RegDB"),
        (
            (*(f"SYSU-MM01/cam{camid}" for camid in CAMERAS), "SYSU-MM01/exp"),
            "its folder SYSU-MM01 looks like SYSU-MM01",
        ),
    ],
)
def test_wrong_folder_is_told_what_it_looks_like(tmp_path, folders, hint):
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(UserError, match="not in SYSU-MM01's layout") as error:
        sysu_images(tmp_path)
    assert error.value.found.endswith(hint)


@pytest.mark.skipif(not LISTS.is_dir(), reason="no official lists")
@pytest.mark.parametrize(("shots", "cameras", "size"), [(1, (1, 2, 4, 5), 301), (10, (1, 2), 1120)])
def test_official_file_gives_the_official_gallery_sizes(shots, cameras, size):
    shuffles = loadmat(LISTS / "rand_perm_cam.mat")["rand_perm_cam"]
    records = [
        ImageRecord(f"{number:04d}.jpg", pid, camid, Modality.VISIBLE, "test")
        for camid in cameras
        for pid in loadmat(LISTS / "test_id.mat")["id"].ravel().tolist()
        for number in range(1, shuffles[camid - 1, 0][pid - 1, 0].shape[1] + 1)
    ]
    found = with_official_places(records, LISTS / "rand_perm_cam.mat")
    for trial in range(10):
        drawn = [record for record in found if record.official_places[trial] < shots]
        assert len(drawn) == size
    first = shuffles[found[0].camid - 1, 0][found[0].pid - 1, 0][9, 0]
    assert found[first - 1].official_places[9] == 0


def write_shuffles(root, counts, trials=()):
    """Write `rand_perm_cam.mat` with ten, or `trials[camid, pid]`, shuffles of `counts[camid, pid]` images."""
    generator = np.random.default_rng(1)
    shuffles = {
        key: np.stack([generator.permutation(count) + 1 for _ in range(dict(trials).get(key, 10))])
        for key, count in counts.items()
    }
    cameras = np.empty((6, 1), object)
    for camid in CAMERAS:
        cameras[camid - 1, 0] = np.empty((5, 1), object)
        for pid in range(1, 6):
            cameras[camid - 1, 0][pid - 1, 0] = shuffles.get((camid, pid), np.empty((10, 0))).astype(np.uint8)
    savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cameras})
    return shuffles


@pytest.fixture
def shuffled(tmp_path):
    """A data set of two test identities with five images per camera, and its shuffles."""
    root = draw_dataset(tmp_path / "data", train=(1,), val=(2,), test=(3, 4), images=5)
    return root, write_shuffles(root, {(camid, pid): 5 for camid in CAMERAS for pid in (3, 4)})


def test_official_places_are_those_of_the_files_in_the_shuffles(shuffled):
    root, shuffles = shuffled
    records = sysu_images(root, gallery_draw="official")
    assert records == sysu_images(root)  # read wherever it is there
    for record in records:
        if record.split == "train":
            assert record.official_places is None
            continue
        number = int(Path(record.name).stem)
        rows = shuffles[record.camid, record.pid]
        assert [rows[trial, place] for trial, place in enumerate(record.official_places)] == [number] * 10


def test_official_galleries_of_different_numbers_are_refused(shuffled):
    root, shuffles = shuffled
    write_shuffles(root, dict.fromkeys(shuffles, 5), {(2, 4): 9})
    with pytest.raises(UserError, match="differ in their number") as error:
        sysu_images(root)
    assert error.value.found == "9 to 10"


def test_missing_official_galleries_say_where_they_come_from(root):
    with pytest.raises(UserError, match="official galleries are missing") as error:
        sysu_images(root, gallery_draw="official")
    assert "github.com/wuancong/SYSU-MM01" in error.value.remedy


@pytest.mark.parametrize("content", [b"", b"MATLAB", {"other": [1]}])
def test_file_that_is_not_the_official_galleries_is_refused(root, content):
    path = root / "exp" / "rand_perm_cam.mat"
    path.write_bytes(content) if isinstance(content, bytes) else savemat(path, content)
    with pytest.raises(UserError, match="not the official galleries"):
        sysu_images(root, gallery_draw="official")


@pytest.mark.parametrize("change", ["one more image", "one image less", "unknown identity", "not permutations"])
def test_official_galleries_of_other_images_are_refused(shuffled, change):
    root, shuffles = shuffled
    if change == "one more image":
        shutil.copy(root / "cam2/0004/0001.jpg", root / "cam2/0004/0006.jpg")
    elif change == "one image less":
        (root / "cam2/0004/0001.jpg").unlink()
    elif change == "unknown identity":
        write_shuffles(root, {key: 5 for key in shuffles if key != (2, 4)})
    else:
        values = loadmat(root / "exp" / "rand_perm_cam.mat")["rand_perm_cam"]
        values[1, 0][3, 0][2] = 1
        savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": values})
    with pytest.raises(UserError, match="for other images") as error:
        sysu_images(root, gallery_draw="official")
    assert "cam2/0004" in error.value.expected
