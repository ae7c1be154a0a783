"""`vireid explain`: which pictures and layers it draws, of which models, how it fails. CPU, seconds."""

import json
import re
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from tests.made import recipe_of, tiny_model
from tests.refusals import refused
from vireid.cli import app
from vireid.methods import build_method
from vireid.training.model_folder import cpu_state, read_description, save_model

TRAINED, TEST = 1, 13
VISIBLE, INFRARED = "cam1/0013/0001.jpg", "cam3/0013/0001.jpg"


@pytest.fixture(autouse=True)
def _leave_torch_as_it_is(workplace):
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def run(model_folder, images_file):
    def explain(*options, model=model_folder, images=images_file):
        arguments = ["explain", *options, "--model", model, "--images", images]
        return CliRunner().invoke(app, list(map(str, arguments)))

    return explain


@pytest.fixture
def baseline_folder(model_folder, tmp_path):
    """An untrained baseline for the same images."""
    description, _ = read_description(model_folder)
    recipe = recipe_of("baseline")
    model, loss = tiny_model("baseline", recipe["model"]), recipe["loss"]
    torch.manual_seed(0)
    method = build_method("baseline", len(description.train_pids), model, loss)
    described = replace(description, method="baseline", model=model, loss=loss)
    save_model(tmp_path / "baseline", cpu_state(method), described)
    return tmp_path / "baseline"


def similarity(result):
    assert result.exit_code == 0, result.output
    return float(re.search(r"cosine similarity (-?\d\.\d+)", result.stdout)[1])


def size(name="explain.png"):
    with Image.open(name) as picture:
        return picture.size


def test_identity_gives_a_visible_and_an_infrared_picture_and_all_stages_of_separate_trunks(run):
    result = run("--pid", TEST)
    assert -1 <= similarity(result) <= 1
    assert f"{VISIBLE} (visible, id 13, cam 1) and {INFRARED} (infrared, id 13, cam 3)" in result.stdout
    assert "explain.png: stage1, stage2, stage3, stage4 of fprnet's embedding joint" in result.stdout
    assert size()[0] > 800


def test_baseline_is_explained_at_the_stages_that_it_shares(run, baseline_folder):
    result = run("--pid", TEST, model=baseline_folder)
    shared = recipe_of("baseline")["model"]["trunk"]["share_from"]
    names = ", ".join(f"stage{number}" for number in range(shared, 5))
    assert f"explain.png: {names} of baseline's embedding neck" in result.stdout


def test_two_models_stand_side_by_side_on_the_same_pictures(run, model_folder, baseline_folder):
    stages, known = ("--layer", "stage4"), ("--pid", TRAINED)
    alone = [similarity(run(*known, *stages, model=folder)) for folder in (baseline_folder, model_folder)]
    one = size()
    result = run(*known, *stages, "--model", baseline_folder)  # `run` names the other one
    assert result.exit_code == 0, result.output
    similarities = re.findall(r"cosine similarity (-?\d\.\d+)", result.stdout)
    assert list(map(float, similarities)) == alone
    assert f"{baseline_folder}:\ncam" in result.stdout
    assert f"stage4 of baseline's embedding neck in {baseline_folder}" in result.stdout
    assert f"stage4 of fprnet's embedding joint in {model_folder}" in result.stdout
    assert size()[0] > 1.2 * one[0]
    refused(run(*known, "--model", model_folder / "none"), "there is no model")
    refused(run(*known, "--embedding", "neck", "--model", baseline_folder), "no such embedding")


def test_model_that_is_named_twice_is_drawn_once(run, model_folder):
    run("--pid", TEST, "--output", "once.png")
    result = run("--pid", TEST, "--output", "twice.png", "--model", model_folder)
    assert result.stdout.count("cosine similarity") == 1
    assert size("once.png") == size("twice.png")


def test_identity_that_the_model_was_trained_on_is_called_so(run):
    assert "seen in training" in run("--pid", TRAINED).stdout
    assert "seen in training" not in run("--pid", TEST).stdout


def test_files_names_and_identities_of_the_same_pictures_agree(run, dataset):
    layers = ("--layer", "stage4")
    by_pid = similarity(run("--pid", TEST, *layers))
    assert similarity(run(INFRARED, VISIBLE, *layers)) == by_pid
    files = ("--infrared", dataset / INFRARED, "--visible", dataset / VISIBLE)
    assert similarity(run(*files, *layers, images="nowhere.h5")) == by_pid


def test_16_bit_files_are_read_as_the_models_data_set_was(run, dataset, model_folder, tmp_path):
    model = shutil.copytree(model_folder, tmp_path / "model")
    description = json.loads((model / "model.json").read_text())
    description["images"]["sixteen_bit"] = "window 7000.0 8020.0"
    (model / "model.json").write_text(json.dumps(description))
    with Image.open(dataset / INFRARED) as image:
        grey = image.convert("L")
    grey.save(tmp_path / "grey.png")
    Image.fromarray(7000 + 4 * np.asarray(grey).astype(np.uint16)).save(tmp_path / "counts.tif")
    similarities = [
        similarity(run("--infrared", tmp_path / name, "--visible", dataset / VISIBLE, model=model))
        for name in ("grey.png", "counts.tif")
    ]
    assert similarities[0] == similarities[1]


def test_identities_and_pictures_of_people_that_differ_are_rows_of_one_figure(run):
    assert run("--pid", TEST, "--layer", "stage4").exit_code == 0
    one = size()
    result = run("--pid", TEST, VISIBLE, "cam6/0014/0002.jpg", "--pid", 14, "--layer", "stage4")
    assert result.stdout.count("cosine similarity") == 3
    assert size()[0] == one[0]
    assert size()[1] > 2 * one[1]


def test_one_picture_alone_is_compared_with_itself(run, dataset):
    result = run("--infrared", dataset / INFRARED)
    assert result.exit_code == 0, result.output
    assert "compared with itself" in result.stdout
    assert "cosine similarity" not in result.stdout
    assert run("--pid", TEST, "--against", "itself").stdout.count("compared with itself") == 2


def test_layers_are_those_that_were_named_in_their_order(run):
    result = run("--pid", TEST, "--layer", "stage3", "--layer", "stage2", "--layer", "stage3")
    assert "explain.png: stage3, stage2 of fprnet" in result.stdout


def test_any_module_on_the_way_to_the_embedding_is_a_layer(run, dataset):
    layer = "backbone.separate.1.stages.2.conv1"
    result = run("--infrared", dataset / INFRARED, "--layer", layer)
    assert f"explain.png: {layer} of fprnet" in result.stdout


def test_another_embedding_is_explained_on_demand(run):
    assert "embedding pool5" in run("--pid", TEST, "--layer", "stage4", "--embedding", "pool5").stdout
    refused(run("--pid", TEST, "--embedding", "no"), "no such embedding", "joint, single, pool5")


def test_output_goes_where_it_was_asked_for_and_repeats_to_the_byte(run, tmp_path):
    for name in ("first.png", "below/again.png"):
        result = run("--pid", TEST, "--layer", "stage2", "--output", name)
        assert f"{name}: stage2" in result.stdout
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "below" / "again.png").read_bytes()
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ((), ("no picture to explain", "--pid")),
        (("--pid", "99"), ("no pictures of identity 99", "13, 14")),
        (("--pid", "13", "--layer", "stage7"), ("no such layer", "stage1, stage2, stage3, stage4")),
        (("--pid", "13", "--layer", "joint_head"), ("nothing to explain there", "its output is (1, 32)")),
        (("--pid", "13", "--layer", "fusion_head"), ("nothing to explain there", "used 0 times")),
        (("--pid", "13", "--layer", "backbone.separate.0"), ("nothing to explain there", "visible")),
        (("cam1/0013/9999.jpg",), ("no image of the data set", "nothing of that name")),
        (("--visible", "none.jpg"), ("none.jpg", "cannot be read")),
        (("--infrared", "text.jpg"), ("text.jpg", "not a JPEG, PNG, BMP, TIFF or WebP image")),
        (("text.jpg",), ("spectrum is unknown", "--visible FILE or --infrared FILE")),
        (("--visible", "text.jpg", "--output", "text.jpg"), ("what the command reads",)),
    ],
)
def test_wrong_request_is_one_message_and_leaves_an_earlier_picture(run, tmp_path, options, parts):
    (tmp_path / "text.jpg").write_text("text")
    (tmp_path / "explain.png").write_bytes(b"earlier")
    refused(run(*options), *parts)
    assert (tmp_path / "explain.png").read_bytes() == b"earlier"
    assert (tmp_path / "text.jpg").read_text() == "text"


def test_file_that_is_named_without_its_spectrum_is_refused_without_images_too(run, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"")
    refused(run("a.jpg", images=tmp_path / "none.h5"), "spectrum is unknown", "--visible FILE", "none.h5")
    refused(run("b.jpg", images=tmp_path / "none.h5"), "the file is missing")


def test_layer_of_the_other_spectrums_trunk_is_refused(run):
    refused(run("--pid", TEST, "--layer", "backbone.separate.0.stages.1"), "infrared pictures", "used 0 times")


def test_identity_of_one_spectrum_only_is_refused(run, images_file, tmp_path):
    shutil.copy(images_file, tmp_path / "images.h5")
    with h5py.File(tmp_path / "images.h5", "r+") as file:
        pid = file["test/infrared/pid"]
        pid[:] = np.where(pid[:] == TEST, 14, pid[:])
    refused(run("--pid", TEST, images=tmp_path / "images.h5"), "not in both spectra", "found:    visible")


def test_model_or_images_that_are_missing_or_do_not_belong_together_are_refused(run, images_file, tmp_path):
    refused(run("--pid", TEST, model=tmp_path / "none"), "there is no model")
    refused(run("--pid", TEST, images=tmp_path / "none.h5"), "the file is missing")
    shutil.copy(images_file, tmp_path / "other.h5")
    with h5py.File(tmp_path / "other.h5", "r+") as file:
        file.attrs["source_hash"] = "ab" * 32
    refused(run("--pid", TEST, images=tmp_path / "other.h5"), "another source_hash")


def test_missing_model_is_named_before_images_that_are_missing_too(run, tmp_path):
    for options in (("--pid", TEST), ("cam1/0013/0001.jpg",), ("--visible", "none.jpg")):
        result = run(*options, model=tmp_path / "none", images=tmp_path / "none.h5")
        refused(result, "none: there is no model", "dvc repro train")
    refused(run(model=tmp_path / "none", images=tmp_path / "none.h5"), "no picture to explain")


def test_help_says_what_is_shown_and_how_to_begin():
    text = " ".join(CliRunner().invoke(app, ["explain", "--help"]).stdout.split())
    for part in ("cosine similarity", "Grad-CAM", "ICCV 2017", "vireid explain --pid", "speak for the match"):
        assert part in text
