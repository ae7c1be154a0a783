"""RegDB's folders and the lists of its trials: what is found, in which order, what is refused. CPU, seconds."""

import re
import shutil

import pytest

from tests.datasets.listing import regdb_images
from tests.made import draw_regdb, edit_list
from vireid.data.records import Modality
from vireid.support.errors import UserError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A data set of three and two identities in two trials; not to be changed."""
    return draw_regdb(tmp_path_factory.mktemp("regdb") / "data")


def pids_of(records, split):
    return {record.pid for record in records if record.split == split}


def test_every_listed_image_is_found_once_with_identity_camera_and_modality(drawn):
    records = regdb_images(drawn, 1)
    names = [record.name for record in records]
    assert sorted(names) == sorted(path.relative_to(drawn).as_posix() for path in drawn.rglob("*.bmp"))
    for record in records:
        folder, pid, _ = record.name.split("/")
        assert record.pid == int(pid)
        assert (folder, record.camid) == (
            ("Visible", 1) if record.modality is Modality.VISIBLE else ("Thermal", 2)
        )


def test_trials_have_their_own_splits(drawn):
    first, second = regdb_images(drawn, 1), regdb_images(drawn, 2)
    assert pids_of(first, "train") == pids_of(second, "test") == {3, 40, 168}
    assert pids_of(first, "test") == pids_of(second, "train") == {7, 222}


def test_order_is_split_modality_identity_camera_name(drawn):
    records = regdb_images(drawn, 2)
    keys = [(r.split == "test", r.modality != Modality.VISIBLE, r.pid, r.camid, r.name) for r in records]
    assert keys == sorted(keys)


def test_blank_lines_and_windows_line_ends_change_nothing(root, drawn):
    path = root / "idx" / "train_visible_1.txt"
    path.write_bytes(b"\r\n" + path.read_bytes().replace(b"\n", b" \r\n") + b"\r\n\r\n")
    assert regdb_images(root, 1) == regdb_images(drawn, 1)


def test_identity_in_both_splits_is_seen_behind_the_relabelled_column(root):
    for word, folder, letter in (("visible", "Visible", "v"), ("thermal", "Thermal", "t")):
        with (root / "idx" / f"test_{word}_1.txt").open("a") as file:
            file.write(f"{folder}/40/male_back_{letter}_00000_40.bmp 2\n")
    with pytest.raises(UserError, match="both train and test") as error:
        regdb_images(root, 1)
    assert error.value.found == "40"
    assert "test_*_1.txt" in error.value.remedy


@pytest.mark.parametrize("folder", ["Visible", "Thermal", "idx"])
def test_missing_folder_is_named(root, folder):
    shutil.rmtree(root / folder)
    with pytest.raises(UserError, match="not in RegDB's layout") as error:
        regdb_images(root, 1)
    assert error.value.found == f"no {folder}"


@pytest.mark.parametrize("name", ["train_visible_1", "train_thermal_1", "test_visible_1", "test_thermal_1"])
def test_missing_list_is_named(root, name):
    (root / "idx" / f"{name}.txt").unlink()
    with pytest.raises(UserError, match="split file is missing") as error:
        regdb_images(root, 1)
    assert error.value.where.name == f"{name}.txt"


def test_missing_images_are_counted_and_the_first_named(root):
    shutil.rmtree(root / "Thermal" / "7")
    with pytest.raises(UserError, match="listed image is missing") as error:
        regdb_images(root, 1)
    assert error.value.where == root / "Thermal/7/male_back_t_00000_7.bmp"
    assert error.value.found.startswith("2 ")


@pytest.mark.parametrize(
    "line",
    [
        "Visible/3/male_back_v_00000_3.bmp",
        "Visible/3/male_back_v_00000_3.bmp one",
        "Visible/3/male_back_v_00000_3.bmp -1",
        "Visible/3/male_back_v_00000_3.bmp 0 #",
        "0",
    ],
)
def test_stray_text_is_refused_with_its_line(root, line):
    edit_list(root, "train_visible_1.txt", "Visible/3/male_back_v_00000_3.bmp 0", line)
    with pytest.raises(UserError) as error:
        regdb_images(root, 1)
    assert line[:10] in str(error.value) or repr(line)[1:-1] in str(error.value)
    assert "train_visible_1.txt" in str(error.value.where)


@pytest.mark.parametrize(
    "name",
    [
        "Thermal/3/male_back_t_00000_3.bmp",
        "Visible/3/male_back_t_00000_3.bmp",
        "visible_3/male_back_v_00000_3.bmp",
        "Visible/x/male_back_v_00000_3.bmp",
        "Visible/3/more/../male_back_v_00000_3.bmp",
        "Visible\\3\\male_back_v_00000_3.bmp",
        "Visible/3/picture.bmp",
        "Visible/3/male_back_v_00000_3.txt",
    ],
)
def test_name_that_is_not_of_the_layout_is_refused(root, name):
    edit_list(root, "train_visible_1.txt", "Visible/3/male_back_v_00000_3.bmp 0", f"{name} 0")
    with pytest.raises(UserError, match="not a visible image") as error:
        regdb_images(root, 1)
    assert error.value.found == name


@pytest.mark.parametrize("name", ["../other/1.bmp", "/etc/passwd", "Visible/3/../../../1.bmp"])
def test_path_that_climbs_out_is_refused(root, name):
    edit_list(root, "test_thermal_1.txt", "Thermal/7/male_back_t_00000_7.bmp", name)
    with pytest.raises(UserError, match="leads out") as error:
        regdb_images(root, 1)
    assert error.value.found == repr(name)
    assert "test_thermal_1.txt, line 1" in str(error.value.where)


def test_image_listed_twice_is_refused_with_its_line(root):
    with (root / "idx" / "train_visible_1.txt").open("a") as file:
        file.write("Visible/3/male_back_v_00001_3.bmp 0\n")
    with pytest.raises(UserError, match=re.escape("train_visible_1.txt, line 7: an image is listed twice")):
        regdb_images(root, 1)


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_empty_list_is_refused(root, text):
    (root / "idx" / "test_visible_1.txt").write_text(text)
    with pytest.raises(UserError, match="the list is empty"):
        regdb_images(root, 1)


def test_list_that_is_not_text_is_refused(root):
    (root / "idx" / "test_visible_1.txt").write_bytes(b"Visible/3/\xff.bmp 1\n")
    with pytest.raises(UserError, match="not an image list") as error:
        regdb_images(root, 1)
    assert "0xff" in error.value.found
    assert str(error.value.where).endswith("test_visible_1.txt, line 1")


@pytest.mark.parametrize(("old", "new"), [("00001_3.bmp 0", "00001_3.bmp 1"), ("00001_3.bmp 0", "00001_3.bmp 9")])
def test_labels_that_disagree_with_the_folders_are_refused(root, old, new):
    edit_list(root, "train_visible_1.txt", old, new)
    with pytest.raises(UserError, match="labels and folders disagree") as error:
        regdb_images(root, 1)
    assert "identity 3" in error.value.found


def test_visible_and_thermal_lists_that_number_an_identity_differently_are_refused(root):
    path = root / "idx" / "test_thermal_1.txt"
    path.write_text(path.read_text().translate(str.maketrans({" ": " 5"})))
    with pytest.raises(UserError, match=r"test_visible_1\.txt and test_thermal_1\.txt disagree") as error:
        regdb_images(root, 1)
    assert "7, 222" in error.value.found


def test_visible_and_thermal_lists_of_different_identities_are_refused(root):
    shutil.copy(root / "idx" / "train_thermal_2.txt", root / "idx" / "train_thermal_1.txt")
    with pytest.raises(UserError, match="disagree") as error:
        regdb_images(root, 1)
    assert "3, 7, 40, 168, 222" in error.value.found


def test_byte_order_mark_before_a_list_changes_nothing(root, drawn):
    path = root / "idx" / "train_visible_1.txt"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"  \r\n"))
    assert regdb_images(root, 1) == regdb_images(drawn, 1)


@pytest.mark.parametrize("character", ["\u200b", "\ufeff", "\u00a0", "\u202a"])
def test_invisible_characters_of_a_list_are_shown(root, character):
    edit_list(root, "train_visible_1.txt", "Visible/3/", f"{character}Visible/3/")
    # A no-break space at the edge of a line is blank, as other blanks are.
    edit_list(root, "train_thermal_1.txt", "Thermal/3/male", f"Thermal/3/{character}male")
    with pytest.raises(UserError) as error:
        regdb_images(root, 1)
    assert repr(character)[1:-1] in error.value.found


def test_list_that_a_spreadsheet_saved_as_utf16_is_called_so(root):
    path = root / "idx" / "train_visible_1.txt"
    path.write_text(path.read_text(), encoding="utf-16")
    with pytest.raises(UserError, match="not an image list") as error:
        regdb_images(root, 1)
    assert "UTF-16" in error.value.found
    assert "save it as UTF-8" in error.value.remedy
