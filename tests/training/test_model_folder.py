"""artifacts/model: what is saved is loaded, and a model that does not belong here is refused. CPU, seconds."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.made import recipe_of, tiny_model
from vireid.data.records import Modality
from vireid.data.store import ImagesInfo
from vireid.methods import build_method
from vireid.support.errors import UserError
from vireid.support.files import sha256
from vireid.training.model_folder import (
    ModelDescription,
    check_disjoint,
    cpu_state,
    load_model,
    read_description,
    save_model,
)

RECIPE = recipe_of("baseline")
IMAGES = ImagesInfo("synthetic", 2, 32, 16, "ab" * 32)
DESCRIPTION = ModelDescription(
    method="baseline",
    model=tiny_model("baseline", RECIPE["model"]),
    loss=RECIPE["loss"],
    pretrained_weights=[{"name": "mine.pth", "source": "file", "licence": None, "sha256": "ef" * 32}],
    images=vars(IMAGES) | {"superresolve": "srcnn camera 1"},
    train_pids=[3, 5, 8],
    holdout_pids=[4],
    selected_epoch=7,
    selected_by={"holdout/mAP": 51.25},
    compute={"accelerator": "cpu"},
)


@pytest.fixture(scope="module")
def method():
    torch.manual_seed(0)
    return build_method("baseline", 3, DESCRIPTION.model, DESCRIPTION.loss).eval()


@pytest.fixture
def folder(tmp_path, method):
    save_model(tmp_path / "model", cpu_state(method), DESCRIPTION)
    return tmp_path / "model"


def rewrite(folder, **changes):
    path = folder / "model.json"
    content = json.loads(path.read_text())
    for key, value in changes.items():
        content[key] = value
    path.write_text(json.dumps(content))


def test_loaded_model_is_the_saved_one(folder, method):
    loaded, description, model_hash = load_model(folder, "baseline", IMAGES)
    assert description == DESCRIPTION
    assert model_hash == sha256(folder / "weights.safetensors")
    images = torch.randn(3, 3, 32, 16)
    for modality in Modality:
        with torch.inference_mode():
            expected, found = method.embed(images, modality), loaded.eval().embed(images, modality)
        assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_saving_twice_gives_the_same_bytes(folder, method, tmp_path):
    save_model(tmp_path / "again", cpu_state(method), DESCRIPTION)
    for name in ("weights.safetensors", "model.json"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_weights_in_channels_last_are_saved_alike(folder, method, tmp_path):
    state = {
        k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in cpu_state(method).items()
    }
    save_model(tmp_path / "again", state, DESCRIPTION)
    assert sha256(tmp_path / "again" / "weights.safetensors") == sha256(folder / "weights.safetensors")


def test_model_that_was_pretrained_is_loaded_without_imagenet_weights(folder):
    pretrained = DESCRIPTION.model | {"trunk": DESCRIPTION.model["trunk"] | {"pretrained": True}}
    with pytest.raises(UserError, match="pretrained"):
        build_method("baseline", 3, pretrained, DESCRIPTION.loss)  # there are none for this trunk
    rewrite(folder, model=pretrained)
    load_model(folder, "baseline", IMAGES)


def test_model_that_started_from_a_file_is_loaded_without_it(folder):
    started = DESCRIPTION.model["trunk"] | {"pretrained": f"gone.pth#sha256={'0' * 64}"}
    rewrite(folder, model=DESCRIPTION.model | {"trunk": started})
    load_model(folder, "baseline", IMAGES)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UserError, match="incomplete") as error:
        load_model(folder, "baseline", IMAGES)
    assert name in error.value.found


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no model") as error:
        read_description(tmp_path / "none")
    assert "dvc repro train" in error.value.remedy


def test_model_of_another_method_is_refused(folder):
    with pytest.raises(UserError, match="another method") as error:
        load_model(folder, "fprnet", IMAGES)
    assert (error.value.expected, error.value.found) == ("fprnet", "baseline")


@pytest.mark.parametrize(
    ("key", "value"),
    [("dataset", "sysu_mm01"), ("trial", 3), ("height", 64), ("width", 8), ("source_hash", "cd" * 32)],
)
def test_model_of_other_images_is_refused(folder, key, value):
    with pytest.raises(UserError, match=f"another {key}") as error:
        load_model(folder, "baseline", replace(IMAGES, **{key: value}))
    assert (error.value.expected, error.value.found) == (value, getattr(IMAGES, key))


def test_changed_weights_are_refused(folder):
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="not the weights that were saved"):
        load_model(folder, "baseline", IMAGES)


def test_weights_cut_short_are_refused(folder):
    content = (folder / "weights.safetensors").read_bytes()
    (folder / "weights.safetensors").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="not the weights that were saved"):
        load_model(folder, "baseline", IMAGES)


def test_partial_weights_are_refused_even_with_the_right_hash(folder):
    state = load_file(folder / "weights.safetensors")
    del state["neck.norm.weight"]
    save_file(state, folder / "weights.safetensors")
    rewrite(folder, weights_sha256=sha256(folder / "weights.safetensors"))
    with pytest.raises(UserError, match="do not fit") as error:
        load_model(folder, "baseline", IMAGES)
    assert "neck.norm.weight" in str(error.value.found)


@pytest.mark.parametrize("prefix", ["module", "_orig_mod"])
def test_weights_of_a_wrapped_model_are_refused_with_the_cause_and_not_every_key(folder, prefix):
    state = {f"{prefix}.{name}": value for name, value in load_file(folder / "weights.safetensors").items()}
    save_file(state, folder / "weights.safetensors")
    rewrite(folder, weights_sha256=sha256(folder / "weights.safetensors"))
    with pytest.raises(UserError, match="do not fit") as error:
        load_model(folder, "baseline", IMAGES)
    assert f"all keys begin with `{prefix}.`" in error.value.found
    assert len(str(error.value)) < 600


def test_model_of_another_number_of_identities_is_refused(folder):
    rewrite(folder, train_pids=[3, 5])
    with pytest.raises(UserError, match="do not fit"):
        load_model(folder, "baseline", IMAGES)


def test_other_schema_is_refused(folder):
    rewrite(folder, schema="vireid.model/1")
    with pytest.raises(UserError, match="another format") as error:
        load_model(folder, "baseline", IMAGES)
    assert error.value.found == "vireid.model/1"


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '"x"', "\x00"])
def test_description_that_is_no_json_object_is_refused(folder, content):
    (folder / "model.json").write_text(content)
    with pytest.raises(UserError):
        load_model(folder, "baseline", IMAGES)


def test_description_with_a_missing_or_an_unknown_key_is_refused(folder):
    rewrite(folder, typo=1)
    with pytest.raises(UserError, match="typo"):
        load_model(folder, "baseline", IMAGES)
    content = json.loads((folder / "model.json").read_text())
    del content["typo"], content["train_pids"]
    (folder / "model.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="train_pids"):
        load_model(folder, "baseline", IMAGES)


def test_test_identities_seen_in_training_are_refused_and_named():
    with pytest.raises(UserError, match="seen in training") as error:
        check_disjoint([1, 2, 3, 9], np.array([2, 4, 9]))
    assert error.value.found == "2 in both: 2, 9"
    check_disjoint([1, 2], np.array([3]))


def test_error_while_saving_keeps_the_earlier_model(folder, method, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ValueError):
        save_model(folder, cpu_state(method), replace(DESCRIPTION, selected_by={"holdout/mAP": float("nan")}))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
