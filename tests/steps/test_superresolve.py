"""The overlay: what it replaces, what it says about itself, and what is refused. CPU, seconds."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import load_file

from tests.made import PACKED, TRAIN, VAL, tree, write_params
from vireid.data.records import Modality
from vireid.data.sixteen_bit import FULL_RANGE
from vireid.data.store import open_images
from vireid.params import load_params
from vireid.steps import superresolve as module
from vireid.steps.superresolve import superresolve
from vireid.superresolution.originals import Originals
from vireid.superresolution.srcnn import (
    score_against_bicubic,
    superresolve_images,
    train_srcnn,
)
from vireid.support.errors import UserError
from vireid.support.files import sha256


@pytest.fixture
def made(tmp_path, dataset, images_file):
    """Make an overlay with changed parameters; returns scores, overlay and weights."""

    def make(root=dataset, **changes):
        path = write_params(tmp_path / "params.yaml", root, **changes)
        overlay, weights = tmp_path / "out" / "superresolved.h5", tmp_path / "out" / "srcnn.safetensors"
        plots = tmp_path / "out" / "plots"
        report = tmp_path / "out" / "report.json"
        done = superresolve(load_params(path), images_file, overlay, weights, report, plots)
        make.warning = done.warning
        assert json.loads(report.read_text()).keys() == done.scores.keys()
        return done.scores, overlay, weights

    make.folder, make.root, make.warning = tmp_path / "out", dataset, ""
    return make


def parts(path):
    with open_images(path) as file:
        return file.info, {
            (split, modality): file.read(split, modality) for split in ("train", "test") for modality in Modality
        }


@pytest.mark.parametrize("camera", [1, 5])
def test_overlay_holds_every_training_image_of_the_chosen_camera_and_no_other(made, images_file, camera):
    scores, overlay, _ = made(superresolve__camera=camera)
    _, packed = parts(images_file)
    _, found = parts(overlay)
    visible = packed["train", Modality.VISIBLE]
    chosen = visible.camid == camera
    sharpened = found.pop(("train", Modality.VISIBLE))
    assert sharpened.name.tolist() == visible.name[chosen].tolist()
    assert sharpened.pid.tolist() == visible.pid[chosen].tolist()
    assert set(sharpened.camid) == {camera}
    assert all(len(part) == 0 for part in found.values())
    assert scores["replaced_images"] == chosen.sum() == 24
    assert sharpened.image.shape == (24, *PACKED, 3)


def test_replaced_images_show_what_the_packed_ones_show(overlay_file, images_file):
    packed, found = (parts(path)[1]["train", Modality.VISIBLE] for path in (images_file, overlay_file))
    row_of = {name: row for row, name in enumerate(packed.name)}
    for name, image in zip(found.name, found.image, strict=True):
        original = packed.image[row_of[name]]
        assert abs(image.mean() - original.mean()) < 4
        assert not np.array_equal(image, original)


def test_provenance_names_the_camera_and_the_weights(made, images_file):
    _, overlay, weights = made(superresolve__camera=2)
    info, packed_info = parts(overlay)[0], parts(images_file)[0]
    assert info.superresolve == f"srcnn camera 2, weights {sha256(weights)[:12]}"
    assert info.source_hash == packed_info.source_hash
    assert packed_info.superresolve == "none"


def test_scores_come_from_held_out_identities(made):
    scores, _, _ = made(superresolve__holdout_pids=3)
    assert scores["enabled"] is True
    assert scores["heldout_images"] == 3 * 2
    assert set(scores["psnr"]) == set(scores["ssim"]) == {"bicubic", "srcnn", "gain"}


def test_network_is_fitted_on_other_identities_than_it_is_scored_on(made, monkeypatch):
    seen = {}

    def fitted(images, *rest):
        seen["fitted"] = images
        return train_srcnn(images, *rest)

    def scored(network, images, device):
        seen["scored"] = images
        return score_against_bicubic(network, images, device)

    monkeypatch.setattr(module, "train_srcnn", fitted)
    monkeypatch.setattr(module, "score_against_bicubic", scored)
    made(superresolve__holdout_pids=3)
    images = {name: {image.tobytes() for image in part} for name, part in seen.items()}
    assert {name: len(part) for name, part in images.items()} == {"fitted": 9 * 2, "scored": 3 * 2}
    assert images["fitted"].isdisjoint(images["scored"])
    pids = {}
    for pid in (*TRAIN, *VAL):
        names = [f"cam1/{pid:04d}/{number:04d}.jpg" for number in (1, 2)]
        originals = {image.tobytes() for image in Originals(made.root, names, FULL_RANGE).load(64, 32)}
        pids[pid] = {name for name, part in images.items() if originals & part}
    assert sorted(map(len, pids.values())) == [1] * 12  # each identity stands on one side


def test_network_is_applied_to_images_of_the_size_of_apply(made, monkeypatch):
    sizes = {}

    def fitted(images, *rest):
        sizes["fitted"] = images.shape[1:3]
        return train_srcnn(images, *rest)

    def applied(network, images, *rest):
        sizes["applied"] = images.shape[1:3]
        return superresolve_images(network, images, *rest)

    monkeypatch.setattr(module, "train_srcnn", fitted)
    monkeypatch.setattr(module, "superresolve_images", applied)
    made(superresolve__apply__height=20, superresolve__apply__width=12)
    assert sizes == {"fitted": (4 * 16, 4 * 8), "applied": (20, 12)}


def test_same_parameters_give_the_same_bytes_and_another_seed_others(made):
    made()
    first = tree(made.folder)
    made()
    assert tree(made.folder) == first
    made(seed=1)
    assert tree(made.folder)["srcnn.safetensors"] != first["srcnn.safetensors"]


def test_plots_are_the_curve_of_the_training_and_a_picture(made):
    scores, overlay, _ = made(superresolve__iterations=45, superresolve__holdout_pids=3)
    folder = overlay.with_name("plots")
    curve = pd.read_csv(folder / "training.csv")
    assert list(curve) == ["step", "mse", "srcnn", "bicubic"]
    assert curve["step"].tolist() == [*range(3, 46, 3)]
    logged = {"rel": 5e-6}  # six digits
    assert curve["srcnn"].iloc[-1] == pytest.approx(scores["psnr"]["srcnn"], **logged)
    assert curve["bicubic"].tolist() == pytest.approx([scores["psnr"]["bicubic"]] * len(curve), **logged)
    with Image.open(folder / "comparison.png") as picture:
        assert picture.height > 300


def test_last_step_is_always_in_the_curve(made):
    _, overlay, _ = made(superresolve__iterations=41)
    assert pd.read_csv(overlay.with_name("plots") / "training.csv")["step"].tolist()[-2:] == [39, 41]


def test_enlarged_images_go_through_the_size_of_output(made):
    direct, through = (
        parts(made(superresolve__output__height=height, superresolve__output__width=width)[1])[1][
            "train", Modality.VISIBLE
        ].image
        for height, width in (PACKED, (64, 64))
    )
    assert direct.shape == through.shape
    difference = np.abs(direct.astype(int) - through.astype(int))
    assert 0 < difference.mean() < 8


def test_switched_off_overlay_and_weights_are_empty(made, images_file):
    scores, overlay, weights = made(superresolve__enabled=False)
    assert scores == {"enabled": False, "replaced_images": 0}
    assert load_file(weights) == {}
    assert tree(overlay.with_name("plots")) == {"training.csv": b"step,mse,srcnn,bicubic\n"}
    info, found = parts(overlay)
    assert info == parts(images_file)[0]
    assert all(len(part) == 0 for part in found.values())


def test_switched_off_originals_are_not_needed(made, tmp_path):
    made(root=tmp_path / "nowhere", superresolve__enabled=False)


@pytest.mark.parametrize("camera", [3, 6, 7])
def test_infrared_or_unknown_camera_is_refused_with_the_visible_ones(made, camera):
    with pytest.raises(UserError, match="no visible training images") as error:
        made(superresolve__camera=camera)
    assert error.value.expected == "one of 1, 2, 4, 5"
    assert not made.folder.exists()


@pytest.mark.parametrize("count", [12, 40])
def test_holding_out_every_identity_is_refused(made, count):
    with pytest.raises(UserError, match="no identity would be left"):
        made(superresolve__holdout_pids=count)


@pytest.mark.parametrize("link", ["cam1", "cam2/0003"])
def test_originals_behind_a_link_that_came_later_are_refused(made, tmp_path, dataset, link):
    root = shutil.copytree(dataset, tmp_path / "data")
    (root / link).rename(tmp_path / "store")
    (root / link).symlink_to(tmp_path / "store")
    with pytest.raises(UserError, match="a linked folder in the data set"):
        made(root=root)


@pytest.mark.parametrize("patch", [36, 48, 500])
def test_patch_larger_than_the_images_is_refused(made, patch):
    with pytest.raises(UserError, match="patch"):
        made(superresolve__patch=patch)


@pytest.mark.parametrize("patch", [2, 30])
def test_patch_that_cannot_be_reduced_to_a_quarter_is_refused(made, patch):
    with pytest.raises(UserError, match="patch"):
        made(superresolve__patch=patch)


def test_missing_originals_are_refused(made, tmp_path):
    with pytest.raises(UserError, match="an original is missing"):
        made(root=tmp_path / "nowhere")
    assert not made.folder.exists()


def test_originals_without_the_detail_are_left_out_of_training_and_scores(made, dataset, tmp_path, monkeypatch):
    root, rng = shutil.copytree(dataset, tmp_path / "data"), np.random.default_rng(0)
    for path in (root / "cam1").rglob("0001.jpg"):  # one image of each identity is large and full of detail
        Image.fromarray(rng.choice(np.array([0, 255], np.uint8), (64, 32))).save(path)
    seen = {}

    def fitted(images, *rest):
        seen["fitted"] = len(images)
        return train_srcnn(images, *rest)

    monkeypatch.setattr(module, "train_srcnn", fitted)
    scores, _, _ = made(root=root, superresolve__holdout_pids=3)
    assert seen["fitted"] == 9  # of the identities that are not held out
    assert scores["heldout_images"] == 3
    assert scores["originals"]["training"] == {"detailed": 9, "enlarged": 9, "fitted": 9}
    assert scores["originals"]["heldout"] == {"detailed": 3, "enlarged": 3, "scored": 3}
    assert scores["originals"]["enlarged"]["psnr"]["bicubic"] > scores["psnr"]["bicubic"] + 1
    assert scores["replaced_images"] == 24
    assert "12 of 24 originals are smaller than 64 x 32 pixels" in made.warning


def test_originals_that_all_lack_the_detail_are_used_and_warned_of(made):
    scores, _, _ = made()
    assert scores["originals"]["heldout"] == {"detailed": 0, "enlarged": 4, "scored": 4}
    assert "enlarged" not in scores["originals"]
    assert "24 of 24" in made.warning
    made(superresolve__enabled=False)
    assert made.warning == ""
