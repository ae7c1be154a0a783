"""A user's manifest: what is found, that every wrong value is named, and what else is refused. CPU, seconds."""

import numpy as np
import pytest

from tests.datasets.listing import manifest_images
from tests.made import SIXTEEN_BIT, draw_image
from vireid.data.ingest import pack_images
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import open_images
from vireid.params import Dataset, Ingest
from vireid.support.errors import UserError

HEADER = "path,pid,camid,modality,split"
ROWS = (
    "rgb/1 a.jpg,1,1,visible,train",
    "ir/ä.png,1,2,infrared,train",
    "rgb/2.jpg,2,1,visible,test",
    '"ir/2,b.jpg",2,2,infrared,test',
)
NAMES = ("rgb/1 a.jpg", "ir/ä.png", "rgb/2.jpg", "ir/2,b.jpg")


@pytest.fixture
def root(tmp_path):
    """A folder with the images of `ROWS` and their manifest."""
    rng = np.random.default_rng(0)
    for name in NAMES:
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_image(1, "visible", rng).save(path)
    return write(tmp_path / "pictures", HEADER, *ROWS)


def write(root, *lines):
    (root / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return root


def refusal(root):
    with pytest.raises(UserError) as error:
        manifest_images(root)
    return error.value


def test_every_row_is_an_image_in_the_order_of_the_store(root):
    assert manifest_images(root) == [
        ImageRecord("rgb/1 a.jpg", 1, 1, Modality.VISIBLE, "train"),
        ImageRecord("ir/ä.png", 1, 2, Modality.INFRARED, "train"),
        ImageRecord("rgb/2.jpg", 2, 1, Modality.VISIBLE, "test"),
        ImageRecord("ir/2,b.jpg", 2, 2, Modality.INFRARED, "test"),
    ]


def test_order_of_rows_and_columns_blank_rows_and_a_byte_order_mark_change_nothing(root):
    expected = manifest_images(root)
    swapped = [HEADER, "", *reversed(ROWS), ",,,,", ""]
    (root / "manifest.csv").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(swapped).encode())
    assert manifest_images(root) == expected
    write(
        root,
        "split,path,pid,camid,modality",
        *(f"{row.rpartition(',')[2]},{row.rpartition(',')[0]}" for row in ROWS),
    )
    assert manifest_images(root) == expected


def test_location_is_kept_where_there_is_one(root):
    write(root, f"{HEADER},location", *(f"{row},{place}" for place, row in enumerate(ROWS)))
    assert [record.location for record in manifest_images(root)] == [0, 1, 2, 3]


def test_every_wrong_value_is_named_with_row_and_column(root):
    write(
        root,
        HEADER,
        "rgb/1 a.jpg,one,1,visible,train",
        "ir/ä.png,1,2,thermal,validation",
        "",
        "rgb/3.jpg,2,-1,visible,test",
        "rgb/1 a.jpg,2,40000,Visible,test",
        "rgb/2.jpg,2",
    )
    error = refusal(root)
    assert error.problem == "11 wrong values"
    assert error.found.split("\n    ")[1:] == [
        "row 2, pid: 'one'",
        "row 3, modality: 'thermal'",
        "row 3, split: 'validation'",
        "row 5, path: 'rgb/3.jpg' (no such file)",
        "row 5, camid: '-1'",
        "and 6 more",
    ]


def test_path_and_number_that_are_wrong_in_one_row_are_both_named(root):
    write(root, HEADER, *ROWS[:3], "rgb/1 a.jpg,2,40000,Visible,test", "rgb/2.jpg,2")
    assert refusal(root).found.split("\n    ")[1:] == [
        "row 5, path: 'rgb/1 a.jpg' (again)",
        "row 5, camid: '40000'",
        "row 5, modality: 'Visible'",
        "row 6, path: 'rgb/2.jpg' (again)",
        "row 6, camid: ''",
        "and 2 more",
    ]


def test_columns_without_a_wrong_value_are_not_explained(root):
    write(root, HEADER, *ROWS[:3], '"ir/2,b.jpg",two,2,infrared,test')
    assert refusal(root).expected == "pid: a whole number from 0 to 2147483647"


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../pictures/rgb/2.jpg", "not below the folder"),
        ("..", "not below the folder"),
        ("/etc/passwd", "not relative to the folder"),
        ("rgb", "a folder"),
        ("", "no file"),
        ("none.jpg", "no such file"),
        ("rgb\u200b/2.jpg", "no such file"),
        ("rgb\\2.jpg", "write / between folders"),
        ("rgb/._2.jpg", "passed over, because ._2.jpg is a name of hidden or leftover files"),
        (".Trash-1000/2.jpg", "passed over, because .Trash-1000 is a name of hidden or leftover files"),
        ("gone.jpg", "a link to nowhere.jpg, which is not there"),
    ],
)
def test_path_that_is_no_file_below_the_folder_is_a_wrong_value(root, path, why):
    (root / ".Trash-1000").mkdir()
    for name in ("rgb/._2.jpg", ".Trash-1000/2.jpg"):
        (root / name).write_bytes(b"x")
    (root / "gone.jpg").symlink_to("nowhere.jpg")
    write(root, HEADER, *ROWS[:2], f"{path},2,1,visible,test", ROWS[3])
    assert refusal(root).found == f"\n    row 4, path: {path!r} ({why})"


@pytest.mark.parametrize("path", ["./rgb/2.jpg", "rgb//2.jpg", "ir/../rgb/2.jpg", "none/../rgb/./2.jpg"])
def test_every_spelling_of_a_file_is_the_file(root, path):
    expected = manifest_images(root)
    write(root, HEADER, *ROWS[:2], f"{path},2,1,visible,test", ROWS[3])
    assert manifest_images(root) == expected
    write(root, HEADER, *ROWS, f"{path},2,1,visible,test")
    assert refusal(root).found == f"\n    row 6, path: {path!r} (again)"


@pytest.mark.parametrize("number", ["1.0", "1e3", " 1", "\u0661", "2147483648", "99999999999", "nan", "True", ""])
def test_only_plain_whole_numbers_are_identities(root, number):
    write(root, HEADER, ROWS[0], f"ir/ä.png,{number},2,infrared,train", *ROWS[2:])
    assert refusal(root).found == f"\n    row 3, pid: {number!r}"


@pytest.mark.parametrize(
    "header",
    ["path,pid,camid,modality", HEADER + ",colour", HEADER + ",pid", "path;pid;camid;modality;split", ROWS[0]],
)
def test_other_columns_are_refused(root, header):
    write(root, header, *ROWS)
    error = refusal(root)
    assert error.problem in ("wrong columns", "not a table of comma-separated values")
    assert "path, pid, camid, modality, split" in error.expected


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"\xff\xfe\x00", b"path,pid,camid,modality,split\n1,2,3,4,5,6,7\n"]
)
def test_file_that_is_no_table_is_refused(root, content):
    (root / "manifest.csv").write_bytes(content)
    assert refusal(root).where == root / "manifest.csv"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_manifest_that_a_spreadsheet_saved_as_utf16_is_called_so(root, encoding):
    text = (root / "manifest.csv").read_text()
    (root / "manifest.csv").write_text(text, encoding=encoding)
    assert "UTF-16" in refusal(root).found


def test_invisible_characters_of_the_header_are_shown(root):
    write(root, HEADER.replace("pid", "pid\u200b"), *ROWS)
    assert r"pid\u200b" in refusal(root).found


def test_linked_folder_beside_the_images_is_refused(root):
    (root / "more").symlink_to(root / "rgb")
    assert refusal(root).problem == "a linked folder in the data set"


def test_missing_manifest_and_one_without_images_are_refused(root):
    write(root, HEADER)
    assert "no image" in refusal(root).problem
    (root / "manifest.csv").unlink()
    assert "vireid manifest" in refusal(root).remedy


def test_identity_in_train_and_test_is_refused(root):
    write(root, HEADER, *ROWS[:3], '"ir/2,b.jpg",1,2,infrared,test')
    error = refusal(root)
    assert error.problem == "identities in both train and test"
    assert error.found == "1"


def packed(root, output):
    data = Dataset(
        name="manifest",
        layout="manifest",
        root=str(root),
        train_on_val=True,
        gallery_draw="seeded",
        trial=0,
        sixteen_bit=SIXTEEN_BIT,
    )
    settings = Ingest(height=40, width=40, on_bad_image="error")
    return pack_images(manifest_images(root), data, settings, 1, output, described=True).source_hash


def test_location_is_packed_and_what_the_manifest_says_is_hashed(root, tmp_path):
    hashes = {packed(root, tmp_path / "images.h5")}
    with open_images(tmp_path / "images.h5") as file:
        assert file.read("test", Modality.VISIBLE).optional == {}
    write(root, f"{HEADER},location", *(f"{row},{place}" for place, row in enumerate(ROWS)))
    hashes.add(packed(root, tmp_path / "images.h5"))
    with open_images(tmp_path / "images.h5") as file:
        part = file.read("test", Modality.INFRARED)
        assert part.optional["location"].tolist() == part.select(part.pid).optional["location"].tolist() == [3]
        assert part.select(np.array([9])).optional["location"].tolist() == []
    write(root, HEADER, *(row.replace(",1,visible", ",5,visible") for row in ROWS))
    hashes.add(packed(root, tmp_path / "images.h5"))
    assert len(hashes) == 3


def test_path_too_long_for_a_file_is_one_of_the_bad_rows(tmp_path):
    (tmp_path / "manifest.csv").write_text(f"path,pid,camid,modality,split\n{'x' * 300}.jpg,1,1,visible,train\n")
    with pytest.raises(UserError) as error:
        manifest_images(tmp_path)
    assert "row 2, path" in str(error.value)
