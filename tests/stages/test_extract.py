"""The stage `extract` as DVC runs it: the embeddings of every test image, and how it fails. CPU, seconds."""

import json
import shutil

import h5py
import numpy as np
import pytest
import torch

from tests.made import METHOD, tree
from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.data.store import open_images
from vireid.retrieval.features import read_features
from vireid.training.model_folder import load_model

FEATURES = "artifacts/features.h5"


@pytest.fixture
def trained(project, model_folder):
    """The project after training."""
    shutil.copytree(model_folder, project / "artifacts" / "model")
    return project


def describe(project, **changes):
    path = project / "artifacts" / "model" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_help_names_what_is_read_and_written(stage):
    text = stage("extract", "--help").stdout
    for part in ("artifacts/images.h5", "artifacts/model", FEATURES):
        assert part in text


def test_stage_embeds_every_test_image_as_the_model_does(stage, trained):
    result = stage("extract")
    assert result.exit_code == 0, result.output
    assert "embedded 24 test images" in result.stdout
    with open_images(trained / "artifacts" / "images.h5") as file:
        method, _, _ = load_model(trained / "artifacts" / "model", METHOD, file.info)
        tests = [file.read("test", modality) for modality in Modality]
    for name in method.embedding_dims:
        features = read_features(trained / FEATURES, name)
        for modality, images in zip(Modality, tests, strict=True):
            found = features.group(modality)
            assert found.name.tolist() == images.name.tolist()
            assert found.pid.tolist() == images.pid.tolist()
            assert found.camid.tolist() == images.camid.tolist()
            with torch.inference_mode():
                pixels = normalise(torch.from_numpy(images.image))
                expected = method.eval().embed(pixels, modality)[name]
            vectors = features.vectors(modality, np.arange(len(images)))
            assert np.allclose(vectors, expected.numpy(), rtol=1e-3, atol=1e-4)


def test_features_say_where_they_come_from(stage, trained):
    stage("extract")
    info = read_features(trained / FEATURES).info
    description = json.loads((trained / "artifacts" / "model" / "model.json").read_text())
    assert (info.dataset, info.trial, info.method, info.default) == ("synthetic", 0, METHOD, "joint")
    assert info.model_hash == description["weights_sha256"]
    assert info.superresolve == description["images"]["superresolve"]
    assert info.superresolve.startswith("srcnn camera 1")
    assert info.train_pids.tolist() == list(range(1, 13))


def test_batch_size_changes_nothing_but_rounding_and_the_same_run_nothing(stage, trained, change):
    stage("extract")
    first, vectors = (
        (trained / FEATURES).read_bytes(),
        read_features(trained / FEATURES).visible.embeddings["joint"],
    )
    stage("extract")
    assert (trained / FEATURES).read_bytes() == first
    change(extract__batch_size=5)
    stage("extract")
    other = read_features(trained / FEATURES).visible.embeddings["joint"]
    assert np.allclose(vectors, other, rtol=1e-3, atol=1e-4)


def test_flip_takes_the_mean_with_the_mirror_image_and_says_so(stage, trained, change):
    stage("extract")
    plain = read_features(trained / FEATURES)
    assert plain.info.flip is False
    change(extract__flip=True)
    assert stage("extract").exit_code == 0
    features = read_features(trained / FEATURES)
    assert features.info.flip is True
    with open_images(trained / "artifacts" / "images.h5") as file:
        method, _, _ = load_model(trained / "artifacts" / "model", METHOD, file.info)
        images = file.read("test", Modality.INFRARED).image
    with torch.inference_mode():
        both = [
            method.eval().embed(normalise(torch.from_numpy(pixels)), Modality.INFRARED)["joint"].numpy()
            for pixels in (images, np.ascontiguousarray(images[:, :, ::-1]))
        ]
    found = features.infrared.embeddings["joint"]
    assert np.allclose(found, (both[0] + both[1]) / 2, rtol=1e-3, atol=1e-4)
    assert not np.allclose(found, plain.infrared.embeddings["joint"], rtol=1e-3, atol=1e-4)


def test_missing_model_is_one_message(stage, fails, project):
    before = tree(project)
    fails(stage("extract"), "artifacts/model", "dvc repro train")
    assert tree(project) == before


def test_model_of_another_method_is_one_message(stage, fails, trained, change):
    change(method="baseline")
    fails(stage("extract"), "another method", "baseline", METHOD)


@pytest.mark.parametrize(
    ("key", "value"),
    [("dataset", "sysu_mm01"), ("trial", 1), ("height", 64), ("source_hash", "0" * 64), ("sixteen_bit", "full")],
)
def test_model_of_other_images_is_one_message(stage, fails, trained, key, value):
    images = json.loads((trained / "artifacts" / "model" / "model.json").read_text())["images"]
    describe(trained, images=images | {key: value})
    fails(stage("extract"), f"another {key}", str(value))


@pytest.mark.parametrize("key", ["train_pids", "holdout_pids"])
def test_test_identity_seen_in_training_is_one_message(stage, fails, trained, key):
    pids = json.loads((trained / "artifacts" / "model" / "model.json").read_text())[key]
    describe(trained, **{key: [*pids[:-1], 14]})
    fails(stage("extract"), "seen in training", "14")
    assert not (trained / FEATURES).exists()


def test_changed_weights_are_one_message(stage, fails, trained):
    path = trained / "artifacts" / "model" / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\0\1")
    fails(stage("extract"), "not the weights that were saved")


def test_embedding_that_is_not_finite_is_one_message_and_keeps_the_earlier_file(
    stage, fails, trained, monkeypatch
):
    stage("extract")
    before = (trained / FEATURES).read_bytes()
    from vireid.methods.fprnet.method import FPRNet

    original = FPRNet.embed

    def broken(self, images, modality):
        return {name: values * float("nan") for name, values in original(self, images, modality).items()}

    monkeypatch.setattr(FPRNet, "embed", broken)
    fails(stage("extract"), "finite")
    assert (trained / FEATURES).read_bytes() == before


@pytest.mark.parametrize("modality", ["visible", "infrared"])
def test_no_test_image_of_a_modality_is_one_message(stage, fails, trained, modality):
    with h5py.File(trained / "artifacts" / "images.h5", "a") as file:
        for column in file[f"test/{modality}"].values():
            column.resize(0, axis=0)
    fails(stage("extract"), modality)
    assert not (trained / FEATURES).exists()


def test_broken_images_are_one_message(stage, fails, trained):
    (trained / "artifacts" / "images.h5").write_bytes(b"")
    fails(stage("extract"), "artifacts/images.h5")
