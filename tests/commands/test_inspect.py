"""`vireid inspect`: the table of what a data set holds, and what is wrong with it. CPU, seconds."""

import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.made import draw_dataset, draw_llcm, draw_regdb, tree, write_params
from vireid.cli import app
from vireid.data.findings import shared_cameras
from vireid.data.records import ImageRecord, Modality


def run(root, *options):
    return CliRunner().invoke(app, ["inspect", str(root), *map(str, options)])


def rows(result):
    return [line.split() for line in result.stdout.splitlines() if line.split()[:1] in (["train"], ["test"])]


@pytest.fixture
def root(tmp_path):
    """A sound data set of two and two identities with two images per camera, to be broken."""
    return draw_dataset(tmp_path / "data", train=(1,), val=(2,), test=(3, 4))


def test_sound_data_set_is_counted_by_split_modality_and_camera(root):
    before = tree(root)
    result = run(root)
    assert result.exit_code == 0, result.output
    assert ["train", "visible", "4", "4", "2", "2"] in rows(result)
    assert ["train", "visible", "all", "16", "2", "8"] in rows(result)
    assert ["test", "infrared", "all", "8", "2", "4"] in rows(result)
    assert len(rows(result)) == 2 * (4 + 1 + 2 + 1)
    assert "nothing suspicious" in result.stdout
    assert "warning" not in result.stdout
    assert tree(root) == before


def test_linked_cameras_are_refused_with_their_target(root, tmp_path):
    for camid in (2, 3):
        (root / f"cam{camid}").rename(tmp_path / f"store{camid}")
        (root / f"cam{camid}").symlink_to(tmp_path / f"store{camid}")
    result = run(root)
    assert result.exit_code == 1
    assert f"{root / 'cam2'}: a linked folder in the data set" in result.stderr
    assert f"a link to {tmp_path / 'store2'}; 2 linked folders in all: cam2, cam3" in result.stderr
    assert "remedy:" in result.stderr


@pytest.mark.parametrize("name", ["d [old]", "a[/b]", ":smile:"])
def test_folder_in_brackets_is_named_as_it_is(tmp_path, name):
    root = draw_dataset(tmp_path / name, train=(1,), val=(2,), test=(3, 4))
    result = run(root)
    assert result.exit_code == 0, result.output
    assert f"{name}: sysu_mm01" in "".join(result.stdout.splitlines())


@pytest.mark.parametrize(("draw", "title"), [(draw_regdb, "regdb, trial 1"), (draw_llcm, "llcm")])
def test_layout_is_recognised(tmp_path, draw, title):
    draw(tmp_path / "data")
    result = run(tmp_path / "data")
    assert result.exit_code == 0
    assert title in result.stdout


def test_trial_can_be_chosen_and_must_exist(tmp_path):
    draw_regdb(tmp_path / "data")
    assert ["train", "visible", "1", "4", "2", "2"] in rows(run(tmp_path / "data", "--trial", 2))
    assert "idx/test_visible_3.txt" in run(tmp_path / "data", "--trial", 3).stderr.replace("train", "test")


def test_what_ingest_refuses_is_an_error(root):
    (root / "exp" / "test_id.txt").write_text("2,3,4")
    result = run(root)
    assert result.exit_code == 1
    assert "both train and test" in result.stderr
    assert "Traceback" not in result.output


def test_copies_across_splits_and_identities_are_counted(root):
    shutil.copy(root / "cam1/0001/0001.jpg", root / "cam2/0003/0009.jpg")
    shutil.copy(root / "cam1/0001/0002.jpg", root / "cam5/0002/0009.jpg")
    shutil.copy(root / "cam3/0004/0001.jpg", root / "cam3/0004/0009.jpg")  # the same person twice leaks nothing
    result = run(root)
    assert result.exit_code == 0
    assert "images in both train and test, byte for byte: 1; the first is " in result.stdout
    assert "cam1/0001/0001.jpg = cam2/0003/0009.jpg" in result.stdout
    assert "images under more than one identity, byte for byte: 2" in result.stdout
    assert result.stdout.count("warning") == 2


def test_missing_modality_near_empty_identity_and_empty_camera_are_counted(root):
    for camid in (3, 6):
        shutil.rmtree(root / f"cam{camid}" / "0003")
    for camid in (2, 4, 5):
        shutil.rmtree(root / f"cam{camid}" / "0001")
    (root / "cam1/0001/0002.jpg").unlink()
    for pid in ("0003", "0004"):
        shutil.rmtree(root / "cam4" / pid)
    found = run(root).stdout
    assert "test identities without infrared images: 1 (3)" in found
    assert "train identities with fewer than 2 visible images: 1 (1)" in found
    assert "visible cameras without an image in test: 1 (4)" in found
    assert found.count("warning") == 3


def test_modality_without_any_image_is_one_warning(root):
    for camid in (3, 6):
        for pid in ("0003", "0004"):
            shutil.rmtree(root / f"cam{camid}" / pid)
    found = run(root).stdout
    assert "no infrared test image at all" in found
    assert found.count("warning") == 1


@pytest.mark.parametrize(("name", "found"), [("empty", "nothing"), ("other", "a.txt"), ("other/a.txt", "a file")])
def test_folder_without_a_data_set_is_an_error_that_says_what_each_layout_has(tmp_path, name, found):
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").touch()
    result = run(tmp_path / name)
    assert result.exit_code == 1
    for part in (name, f"found:    {found}", "RegDB: Visible, Thermal, idx", "manifest.csv"):
        assert part in result.stderr


def test_missing_folder_is_no_unknown_layout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = CliRunner().invoke(app, ["inspect"]).stderr
    for part in ("data: there is no such folder", f"in {tmp_path}", "in the root of the project"):
        assert part in message


def test_trial_of_a_layout_without_trials_is_refused(root):
    result = run(root, "--trial", "3")
    assert result.exit_code == 1
    assert "--trial: the layout sysu_mm01 has no trials" in result.stderr


def test_unreadable_and_empty_files_are_counted(root):
    (root / "cam1/0001/0001.jpg").unlink()
    (root / "cam1/0001/0001.jpg").symlink_to("gone.jpg")
    (root / "cam2/0001/0001.jpg").unlink()
    (root / "cam2/0001/0001.jpg").mkdir()
    (root / "cam4/0001/0001.jpg").write_bytes(b"")
    result = run(root)
    assert result.exit_code == 0, result.output
    assert "files that are empty or cannot be read: 3; the first: cam1/0001/0001.jpg (no file)" in result.stdout
    assert result.stdout.count("warning") == 1


def test_sizes_are_printed_and_tiny_and_stretched_pictures_counted(root):
    for number, quality in ((1, 80), (2, 90)):
        Image.new("L", (15, 36), 90).save(root / f"cam3/0001/{number:04}.jpg", quality=quality)
    Image.new("L", (100, 90), 90).save(root / "cam1/0003/0001.jpg")
    found = run(root).stdout
    assert "visible images, pixels at the percentiles 5, 50, 95: height 40, 40, 40; width 20, 20, 20" in found
    assert "infrared images, pixels at the percentiles 5, 50, 95: height 36, 40, 40; width 15, 20, 20" in found
    assert "images below 40 x 20 pixels (height x width): 2 of 16; the first is cam3/0001/0001.jpg" in found
    assert "1 of 32; the first is cam1/0003/0001.jpg, 90 x 100 (they are stretched" in found
    assert found.count("warning") == 2


def test_pictures_are_decoded_only_where_that_is_asked_for(root):
    path = root / "cam1/0001/0001.jpg"
    path.write_bytes(path.read_bytes()[:-300])
    Image.new("L", (20, 40), 3).save(root / "cam3/0001/0001.jpg")
    Image.new("L", (20, 40), 3).save(root / "cam3/0001/0002.jpg", quality=50)
    Image.new("L", (20, 40), 128).save(root / "cam6/0001/0001.jpg")
    plain, decoded = run(root).stdout, run(root, "--decode")
    assert "nothing suspicious" in plain
    assert "images were compared, not decoded: --decode finds" in plain
    assert decoded.exit_code == 0
    assert "cannot be read: 1; the first: cam1/0001/0001.jpg (image file is truncated" in decoded.stdout
    assert "infrared images nearly black: 2 of 16; the first is cam3/0001/0001.jpg" in decoded.stdout
    assert "infrared images of one grey all over: 1 of 16; the first is cam6/0001/0001.jpg" in decoded.stdout
    assert decoded.stdout.count("warning") == 3
    assert "not decoded" not in decoded.stdout
    assert "decode" in decoded.stderr


def test_sound_data_set_is_decoded_without_a_warning(root):
    assert "nothing suspicious" in run(root, "--decode").stdout


def test_packed_shape_and_scaling_are_those_of_the_parameters_here(root, tmp_path, monkeypatch):
    for number, path in enumerate(sorted(root.glob("cam[36]/*/*.jpg"))):
        counts = np.linspace(7200, 8100, 800 + number).astype(np.uint16)[:800]
        Image.fromarray(counts.reshape(40, 20)).save(path, "PNG")
    monkeypatch.chdir(tmp_path)
    assert "nothing suspicious" in run(root, "--decode").stdout
    write_params(tmp_path / "params.yaml", root, dataset__sixteen_bit__scaling="full", ingest__height=288)
    found = run(root, "--decode").stdout
    assert "infrared images of fewer than 16 grey levels: 16 of 16" in found
    assert "which is 8 times as high as wide: 32 of 32" in found


def test_copies_across_modalities_are_counted(root):
    shutil.copy(root / "cam1/0001/0001.jpg", root / "cam3/0001/0009.jpg")
    assert "images as both visible and infrared, byte for byte: 1" in run(root).stdout


def test_folder_too_high_is_told_so(root):
    assert "its folder data looks like SYSU-MM01" in run(root.parent).stderr


def test_unknown_layout_is_an_error_with_the_known_ones(root):
    result = run(root, "--layout", "market1501")
    assert result.exit_code == 1
    assert "error: --layout: there is no such layout" in result.stderr
    assert "llcm, manifest, regdb, sysu_mm01" in result.stderr


def test_camera_numbers_of_both_spectra_are_named_where_they_are_a_users_own():
    def record(camid, modality, location=None):
        return ImageRecord(f"{camid}{modality.group}.jpg", 1, camid, modality, "test", location)

    apart = [record(1, Modality.VISIBLE), record(2, Modality.INFRARED)]
    assert shared_cameras(apart) == []
    assert "1 (1)" in shared_cameras([*apart, record(1, Modality.INFRARED)])[0]
    assert shared_cameras([record(1, Modality.VISIBLE, 5), record(1, Modality.INFRARED, 6)]) == []


def test_what_the_parameters_ask_and_the_data_set_lacks_is_said_at_once(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path / "params.yaml", "another", train__holdout_pids=40, superresolve__camera=3)
    found = run(root)
    assert found.exit_code == 0
    said = [line for line in found.stdout.splitlines() if line.startswith("with params.yaml: ")]
    assert [line.split(": ")[1] for line in said] == ["train.holdout_pids", "superresolve.camera"]
    assert "(2 - 40; expected: at least train.num_pids = 4)" in said[0]
    assert f"vireid preset dataset=sysu_mm01 dataset.root={root}" in found.stdout


def test_nothing_is_said_of_parameters_that_fit_or_are_not_there(tmp_path, monkeypatch):
    data = draw_dataset(tmp_path / "data", images=1)
    monkeypatch.chdir(tmp_path)
    assert "params.yaml" not in run(data).stdout
    write_params(tmp_path / "params.yaml", "another", train__holdout_pids=2, evaluate__ranks=[1])
    assert "params.yaml" not in run(data).stdout


def test_parameters_that_are_themselves_wrong_do_not_hide_the_data_set(root, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_params(tmp_path / "params.yaml", root, train__epochs=-1)
    found = run(root)
    assert found.exit_code == 0
    assert "not compared with params.yaml" in found.stdout
    assert "wrong parameter: train.epochs" in found.stdout
    assert "vireid preset" not in found.stdout
