"""The stage `ingest` as DVC runs it, on a tiny data set: what it writes and how it fails. CPU, seconds."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.made import draw_dataset, tree
from vireid.data.records import Modality
from vireid.data.store import open_images

# What fits a data set of two training identities.
FEW = {"train__holdout_pids": 0, "train__num_pids": 2, "superresolve__enabled": False}


@pytest.fixture
def empty(project):
    """The project before its first stage."""
    for path in (project / "artifacts").iterdir():
        path.unlink()
    return project


def test_help_names_what_is_read_and_written(stage):
    text = stage("ingest", "--help").stdout
    for part in ("dataset.root", "artifacts/images.h5", "results/dataset.json"):
        assert part in text


def test_stage_writes_the_packed_images_and_their_statistics(stage, empty, images_file):
    result = stage("ingest")
    assert result.exit_code == 0, result.output
    assert "packed 168 images (0 skipped)" in result.stdout
    found = tree(empty)
    assert set(found) == {"params.yaml", "artifacts/images.h5", "results/dataset.json"}
    assert found["artifacts/images.h5"] == images_file.read_bytes()
    assert json.loads(found["results/dataset.json"])["splits"]["test"]["identities"] == 2


def test_paths_are_options(stage, empty):
    (empty / "params.yaml").rename(empty / "other.yaml")
    result = stage("ingest", "--params", "other.yaml", "--images", "a.h5", "--statistics", "b.json")
    assert result.exit_code == 0, result.output
    assert set(tree(empty)) == {"other.yaml", "a.h5", "b.json"}


@pytest.mark.parametrize("missing", ["none", "pictures"])
def test_wrong_root_is_one_message_and_writes_nothing(stage, fails, empty, change, missing):
    (empty / "pictures" / "holiday").mkdir(parents=True)
    change(root=empty / missing)
    before = tree(empty)
    fails(stage("ingest"), missing)
    assert tree(empty) == before


def test_linked_cameras_are_one_message_and_nothing_is_packed(stage, fails, empty, change):
    store = draw_dataset(empty / "store", images=1)
    (empty / "data").mkdir()
    for path in store.iterdir():
        (empty / "data" / path.name).symlink_to(path)
    change(root="data")
    fails(stage("ingest"), "data/cam1: a linked folder", "7 linked folders in all", "rm data/cam1")
    assert not list((empty / "artifacts").iterdir())


def test_broken_image_is_one_message_that_names_the_file(stage, fails, empty, change):
    root = draw_dataset(empty / "data", train=(1,), val=(2,), test=(3,), images=1)
    (root / "cam4" / "0002" / "0001.jpg").write_bytes(b"\xff\xd8 cut")
    change(root="data", **FEW)
    fails(stage("ingest"), "data/cam4/0002/0001.jpg", "on_bad_image: skip")
    assert not (empty / "artifacts" / "images.h5").exists()
    assert not (empty / "results").exists()


def test_skipped_image_is_said_and_counted(stage, empty, change):
    root = draw_dataset(empty / "data", train=(1,), val=(2,), test=(3,), images=1)
    (root / "cam4" / "0002" / "0001.jpg").write_bytes(b"")
    change(root="data", ingest__on_bad_image="skip", **FEW)
    result = stage("ingest")
    assert result.exit_code == 0
    assert "packed 17 images (1 skipped)" in result.stdout
    assert list(json.loads((empty / "results" / "dataset.json").read_text())["skipped"]) == ["cam4/0002/0001.jpg"]


def test_suspicions_are_printed_and_recorded(stage, empty, change):
    root = draw_dataset(empty / "data", train=(1,), val=(2,), test=(3, 4))
    shutil.copy(root / "cam1" / "0001" / "0001.jpg", root / "cam2" / "0003" / "0009.jpg")
    (root / "cam4" / "0002" / "0001.jpg").unlink()
    for camid in (3, 6):
        shutil.rmtree(root / f"cam{camid}" / "0004")
    change(root="data", **FEW)
    result = stage("ingest")
    assert result.exit_code == 0
    found = json.loads((empty / "results" / "dataset.json").read_text())["warnings"]
    assert [line.split(": ")[0] for line in found] == [
        "test identities without infrared images",
        "images in both train and test, byte for byte",
        "images under more than one identity, byte for byte",
    ]
    assert result.stderr.count("warning: ") == 3
    assert all(f"warning: {line}" in result.stderr for line in found)


def draw_thermal(root):
    """Make the infrared pictures those of a 16-bit thermal camera."""
    for path in [*root.glob("cam[36]/*/*.jpg")]:
        with Image.open(path) as image:
            counts = 7200 + 4 * np.asarray(image.convert("L")).astype(np.uint16)
        Image.fromarray(counts).save(path, "PNG")


def test_16_bit_images_are_packed_by_the_scaling_of_the_parameters_which_is_recorded(stage, empty, change):
    draw_thermal(draw_dataset(empty / "data", train=(1,), val=(2,), test=(3,)))
    few_identities = {"train__holdout_pids": 0, "train__num_pids": 2, "superresolve__enabled": False}
    levels = {}
    for scaling, recorded in (("full", "full"), ("percentiles", "percentiles 0.5 99.5")):
        change(root="data", dataset__sixteen_bit__scaling=scaling, **few_identities)
        result = stage("ingest")
        assert result.exit_code == 0, result.output
        with open_images(empty / "artifacts" / "images.h5") as file:
            assert file.info.sixteen_bit == recorded
            levels[scaling] = len(np.unique(file.read("train", Modality.INFRARED).image))
        warned = "infrared images of fewer than 16 grey levels: 12 of 12; the first is cam3/0001/0001.jpg, 40 x 20"
        assert (warned in result.stderr) == (scaling == "full")
    assert levels["full"] < 16 < 200 < levels["percentiles"]


def test_window_out_of_order_is_one_message_and_writes_nothing(stage, fails, empty, change):
    change(dataset__sixteen_bit__scaling="window", dataset__sixteen_bit__window=[8100, 7200])
    before = tree(empty)
    fails(stage("ingest"), "dataset.sixteen_bit.window", "the first number must be below the second")
    assert tree(empty) == before


def test_sizes_of_the_files_images_are_recorded(stage, empty):
    assert stage("ingest").exit_code == 0
    sizes = json.loads((empty / "results" / "dataset.json").read_text())["sizes"]
    assert sizes["infrared"] == {"height": {"5": 40, "50": 40, "95": 40}, "width": {"5": 20, "50": 20, "95": 20}}


def test_identity_in_train_and_test_is_one_message(stage, fails, empty, change):
    root = draw_dataset(empty / "data", train=(1,), val=(2,), test=(3,), images=1)
    (root / "exp" / "test_id.txt").write_text("1,3\n")
    change(root="data")
    fails(stage("ingest"), "both train and test")


def test_wrong_parameter_is_one_message(stage, fails, empty, change):
    change(ingest__height="tall")
    fails(stage("ingest"), "ingest.height", "'tall'")


def test_missing_parameters_are_one_message(stage, fails, empty):
    (empty / "params.yaml").unlink()
    fails(stage("ingest"), "params.yaml")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"train__holdout_pids": 9}, "train.holdout_pids"),
        ({"superresolve__camera": 3}, "superresolve.camera"),
        ({"evaluate__protocols": ["llcm/visible_to_infrared"]}, "evaluate.protocols"),
    ],
)
def test_what_would_stop_the_run_later_is_refused_before_an_image_is_read(
    stage, fails, empty, change, changes, named
):
    change(**changes)
    fails(stage("ingest"), named)
    assert set(tree(empty)) == {"params.yaml"}
