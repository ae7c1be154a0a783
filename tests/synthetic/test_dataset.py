"""The data set on disk: layout, determinism, safety. Writes small sets to a temporary folder. CPU, seconds."""

import hashlib
import json
from collections import Counter

import pytest
from PIL import Image

from tests.made import SIXTEEN_BIT
from vireid.data.records import Modality
from vireid.datasets.find import find_images
from vireid.params import Dataset
from vireid.support.errors import UserError
from vireid.synthetic import dataset
from vireid.synthetic.contact_sheet import draw_contact_sheet
from vireid.synthetic.dataset import Settings, folder_md5, synthesize
from vireid.synthetic.layouts import LAYOUTS

SMALL = Settings(seed=11, train_ids=3, val_ids=1, test_ids=2, visible_images=1, infrared_images=2)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    root = tmp_path_factory.mktemp("small") / "data"
    synthesize(root, SMALL, workers=1)
    return root


def files_of(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_layout_is_that_of_sysu_mm01(small):
    expected = {f"exp/{name}_id.txt" for name in ("train", "val", "test", "available")}
    for pid in range(1, 7):
        expected |= {f"cam{camid}/{pid:04d}/0001.jpg" for camid in range(1, 7)}
        expected |= {f"cam{camid}/{pid:04d}/0002.jpg" for camid in (3, 6)}
    assert set(files_of(small)) == expected
    assert len(expected) == SMALL.num_images + 4


@pytest.mark.parametrize(("layout", "per_identity"), [("regdb", (3, 3)), ("llcm", (9, 8))])
def test_other_layouts_are_what_ingest_reads(tmp_path, layout, per_identity):
    images = 3 if layout == "regdb" else 1
    settings = Settings(11, 2, 1, 2, images, images, 96, 48, layout)
    synthesize(tmp_path / "data", settings, workers=1)
    data = Dataset(
        name=f"synthetic_{layout}",
        layout=layout,
        root=str(tmp_path / "data"),
        train_on_val=True,
        gallery_draw="seeded",
        trial=0,
        sixteen_bit=SIXTEEN_BIT,
    )
    splits = []
    for trial in range(1, 11) if layout == "regdb" else [0]:
        records = find_images(data.model_copy(update={"trial": trial}))
        assert len(records) == settings.num_images
        splits.append({r.pid for r in records if r.split == "test"})
        for pid in range(1, 6):
            counts = Counter(r.modality for r in records if r.pid == pid)
            assert (counts[Modality.VISIBLE], counts[Modality.INFRARED]) == per_identity
    assert {len(split) for split in splits} == {2}
    assert len({frozenset(split) for split in splits}) > 3 if layout == "regdb" else splits == [{4, 5}]


def test_layouts_choose_their_numbers_of_images():
    assert Settings(layout="regdb").num_images == 480 * 20
    assert Settings(layout="llcm").num_images == 480 * 2 * 17
    assert Settings(layout="llcm", visible_images=1).num_images == 480 * (9 + 2 * 8)


def test_regdbs_cameras_see_the_same_moment_and_llcms_never():
    visible, infrared = (view.camera for view in LAYOUTS["regdb"].views)
    assert (visible.modality, infrared.modality) == tuple(Modality)
    assert (visible.camid, visible.scene, visible.pitch) == (infrared.camid, infrared.scene, infrared.pitch)
    cameras = [view.camera.camid for view in LAYOUTS["llcm"].views]
    assert len(set(cameras)) == len(cameras) == 17


def test_split_files_are_one_line_of_numbers(small):
    lists = {path.stem: path.read_text() for path in (small / "exp").iterdir()}
    assert lists == {"train_id": "1,2,3\n", "val_id": "4\n", "test_id": "5,6\n", "available_id": "1,2,3,4,5,6\n"}


def test_images_have_the_asked_size(small, tmp_path):
    with Image.open(small / "cam1/0001/0001.jpg") as image:
        assert (image.size, image.mode, image.format) == ((96, 192), "RGB", "JPEG")
    larger = Settings(seed=11, train_ids=1, val_ids=1, test_ids=1, visible_images=1, height=144, width=72)
    synthesize(tmp_path / "data", larger, workers=1)
    with Image.open(tmp_path / "data/cam3/0001/0001.jpg") as image:
        assert image.size == (72, 144)


def test_default_settings_have_the_documented_size():
    assert (Settings().num_ids, Settings().num_images) == (480, 11520)


def test_bytes_do_not_depend_on_the_number_of_workers(small, tmp_path):
    synthesize(tmp_path / "data", SMALL, workers=2)
    assert files_of(tmp_path / "data") == files_of(small)


def test_every_image_depends_on_the_seed(small, tmp_path):
    synthesize(tmp_path / "data", Settings(12, 3, 1, 2, 1, 2), workers=1)
    other = files_of(tmp_path / "data")
    assert all(other[name] != content for name, content in files_of(small).items() if name.endswith("jpg"))


def test_an_image_does_not_depend_on_what_else_is_drawn(small, tmp_path):
    synthesize(tmp_path / "data", Settings(11, 2, 1, 1, 2, 2), workers=1)
    name = "cam6/0004/0002.jpg"
    assert (tmp_path / "data" / name).read_bytes() == (small / name).read_bytes()


def test_no_two_images_are_equal(small):
    images = [content for name, content in files_of(small).items() if name.endswith("jpg")]
    assert len(set(images)) == len(images)


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_existing_root_is_refused_and_left_alone(tmp_path, kind):
    root = tmp_path / "data"
    if kind == "folder":
        root.mkdir()
        (root / "mine.txt").write_text("precious")
    elif kind == "file":
        root.write_text("precious")
    else:
        root.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="remove it"):
        synthesize(root, SMALL, workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    if kind == "folder":
        assert (root / "mine.txt").read_text() == "precious"


def test_an_error_leaves_nothing_behind(tmp_path, monkeypatch):
    def break_at_third(*args):
        if args[-1][0] == 3:
            raise OSError(28, "No space left on device")
        return b"image"

    monkeypatch.setattr(dataset, "photograph", break_at_third)
    with pytest.raises(OSError, match="No space"):
        synthesize(tmp_path / "data", SMALL, workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_ids": 0},
        {"seed": -1},
        {"height": 10},
        {"height": 800},
        {"width": 400},
        {"visible_images": 0},
        {"layout": "x"},
    ],
)
def test_impossible_settings_are_named(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        Settings(**wrong)


def test_folder_md5_is_dvcs_recipe(tmp_path):
    for name, content in {"b/x.txt": b"1", "b.txt": b"2", "a/z/y.bin": b"\x00"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "empty").mkdir()
    entries = [
        {"md5": "93b885adfe0da089cdf634904fd59f71", "relpath": "a/z/y.bin"},
        {"md5": "c81e728d9d4c2f636f067f89cc14862c", "relpath": "b.txt"},
        {"md5": "c4ca4238a0b923820dcc509a6f75849b", "relpath": "b/x.txt"},
    ]
    assert folder_md5(tmp_path) == hashlib.md5(json.dumps(entries).encode()).hexdigest() + ".dir"


def test_contact_sheet_shows_the_asked_rows(small, tmp_path):
    draw_contact_sheet(small, tmp_path / "sheet.png", num_pids=3, seed=0)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.height > 3 * 192
        assert sheet.width > 6 * 96
    with pytest.raises(UserError, match="6, and 7 asked for"):
        draw_contact_sheet(small, tmp_path / "sheet.png", num_pids=7, seed=0)


def test_contact_sheet_names_a_broken_image(tmp_path):
    for camid in range(1, 7):
        (tmp_path / f"data/cam{camid}/0001").mkdir(parents=True)
        (tmp_path / f"data/cam{camid}/0001/0001.jpg").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"0001\.jpg.*\n.*\n.*not a JPEG"):
        draw_contact_sheet(tmp_path / "data", tmp_path / "sheet.png", num_pids=1, seed=0)
    assert not (tmp_path / "sheet.png").exists()
