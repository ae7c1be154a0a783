"""Training runs: same bits, curves, the chosen epoch, and what stops them. CPU, seconds."""

import json
import shutil
from contextlib import nullcontext
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from tests.made import TEST
from tests.steps.training_run import interrupt, results, table
from vireid.steps.train import require_the_same_everywhere
from vireid.support.errors import UserError
from vireid.training.loop import Best, Trainer

SIX_DIGITS = 5e-6  # by how much a value may differ, relatively, from what is logged of it


def test_same_seed_twice_gives_the_same_bytes_and_another_seed_others(trained):
    trained()
    first = results(trained.folder)
    trained()
    assert results(trained.folder) == first
    trained(seed=1)
    assert results(trained.folder)["weights.safetensors"] != first["weights.safetensors"]


def test_each_epoch_is_given_the_curves_of_the_last_one(trained):
    """TFFN's lambda (Eq. 6) is made of them."""
    trained("tffn", train__epochs=4)
    folder = trained.folder / "curves" / "plots" / "metrics"
    others = [file for file in folder.glob("loss/*/*.tsv") if file.stem != "graph"]
    losses = [table(file.read_bytes()) for file in others]
    weights = table((folder / "train" / "graph_weight.tsv").read_bytes())
    assert len(losses) == 8
    expected = [0] + [1 / (1 + sum(values[epoch] for values in losses)) for epoch in (1, 2, 3)]
    assert list(weights.values()) == pytest.approx(expected, rel=2 * SIX_DIGITS)  # both sides are rounded


def test_recipe_that_contradicts_the_method_is_refused_before_anything_is_read(trained):
    with pytest.raises(UserError, match="would never begin"):
        trained(images=trained.folder / "nowhere.h5", model__svd__cycles=1, train__epochs=20)


def test_every_epoch_logs_every_term(trained):
    trained(train__epochs=3, train__validate_every=2)
    found = results(trained.folder)
    curves = {
        name.removeprefix("curves/plots/metrics/").removesuffix(".tsv"): table(content)
        for name, content in found.items()
        if name.endswith(".tsv")
    }
    losses = {f"loss/{name}" for name in ("total", "joint", "visible", "infrared", "correction")}
    layers = ("joint_1", "fusion_1", "fusion_2", "visible_1", "infrared_1")
    measures = {f"train/{name}" for name in ("accuracy", "accuracy_fusion", "joint_wins")}
    measures |= {f"train/orthogonality/{name}" for name in layers}
    assert curves.keys() == losses | measures | {"lr", "gradient_norm", "holdout/mAP", "holdout/rank1"}
    for name, curve in curves.items():
        assert list(curve) == ([2, 3] if name.startswith("holdout") else [1, 2, 3])
    for epoch in (1, 2, 3):
        total = sum(curves[name][epoch] for name in losses - {"loss/total"})
        assert curves["loss/total"][epoch] == pytest.approx(total, rel=1e-4)
    assert curves["lr"][3] == 0


def test_loss_weights_enter_the_total(trained):
    trained(loss__lambda1=3.0, loss__lambda2=0.0, loss__lambda3=0.5, train__epochs=1)
    found = results(trained.folder)
    mean = {name: table(found[f"curves/plots/metrics/loss/{name}.tsv"])[1] for name in LOSSES}
    total = 3 * mean["joint"] + 0.5 * mean["infrared"] + mean["correction"]
    assert mean["total"] == pytest.approx(total, rel=1e-4)


LOSSES = ("total", "joint", "visible", "infrared", "correction")


def test_epoch_with_the_best_held_out_map_is_kept(trained):
    description = trained(train__epochs=5, train__steps_per_epoch=2, train__lr=0.003)
    curve = table((trained.folder / "curves" / "plots" / "metrics" / "holdout" / "mAP.tsv").read_bytes())
    best = max(curve.values())
    assert curve[description.selected_epoch + 1] == best
    assert description.selected_by["holdout/mAP"] == pytest.approx(best, rel=SIX_DIGITS)


def metrics(folder):
    return json.loads((folder / "curves" / "metrics.json").read_text())


def test_metrics_name_the_kept_epoch_and_its_scores_beside_the_last_ones(trained, monkeypatch):
    map_by_epoch = (10.0, 40.0, 60.0, 30.0, 20.0)
    monkeypatch.setattr(
        Trainer,
        "_holdout_scores",
        lambda self, epoch: {"holdout/mAP": map_by_epoch[epoch], "holdout/rank1": map_by_epoch[epoch] / 2},
    )
    changes = {"train__epochs": 5, "train__steps_per_epoch": 1}
    description = trained(**changes)
    expected = metrics(trained.folder)
    curves = trained.folder / "curves" / "plots" / "metrics"
    assert description.selected_epoch == 2
    assert expected["best"] == {"epoch": 3, "mAP": 60.0, "rank1": 30.0}
    assert (expected["step"], expected["holdout"]["mAP"]) == (5, 20.0)
    assert not (curves / "best").exists()
    shutil.rmtree(trained.folder / "model")
    with monkeypatch.context() as patch:
        interrupt(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            trained(**changes)
    trained(**changes)
    assert metrics(trained.folder) == expected


def test_metrics_name_the_last_epoch_alone_where_nothing_is_held_out(trained):
    trained(train__holdout_pids=0, train__epochs=3)
    assert metrics(trained.folder)["best"] == {"epoch": 3}


def test_first_of_equally_good_epochs_is_kept():
    best = Best()
    for epoch, score in enumerate((10.0, 30.0, 30.0, 20.0)):
        method = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(method.weight, epoch)
        best.offer(epoch, {"holdout/mAP": score}, method)
    assert (best.epoch, best.scores) == (1, {"holdout/mAP": 30.0})
    assert best.weights["weight"].item() == 1


def test_last_epoch_is_kept_where_nothing_is_held_out(trained):
    description = trained(train__holdout_pids=0, train__epochs=3, train__validate_every=2)
    assert (description.selected_epoch, description.selected_by) == (2, {})
    assert description.holdout_pids == []


def test_last_epoch_is_always_validated(trained):
    description = trained(train__validate_every=99)
    assert description.selected_epoch == 1
    assert description.selected_by


def test_description_names_identities_images_and_arithmetic(trained, params):
    description = trained()
    pids = set(description.train_pids) | set(description.holdout_pids)
    assert len(description.train_pids) + len(description.holdout_pids) == len(pids) == 12
    assert pids.isdisjoint(TEST)
    assert description.images["dataset"] == "synthetic"
    assert description.images["superresolve"].startswith("srcnn camera 1")
    assert description.compute == {
        "accelerator": "cpu",
        "precision": "fp32",
        "threads": 1,
        "memory_format": "channels_last",
        "devices": 1,
        "deterministic": True,
    }
    assert description.pretrained_weights == []


def test_test_images_have_no_influence_on_the_weights(trained, images_file):
    trained()
    expected = results(trained.folder)["weights.safetensors"]
    changed = trained.folder / "images.h5"
    shutil.copy(images_file, changed)
    with h5py.File(changed, "a") as file:
        for modality in ("visible", "infrared"):
            images = file[f"test/{modality}/image"]
            images[:] = np.random.default_rng(0).integers(0, 256, images.shape, np.uint8)
    trained(images=changed)
    assert results(trained.folder)["weights.safetensors"] == expected


def test_held_out_images_have_no_influence_on_the_weights_of_an_epoch(trained, images_file):
    description = trained(train__epochs=1)
    expected = results(trained.folder)["weights.safetensors"]
    changed = trained.folder / "images.h5"
    shutil.copy(images_file, changed)
    with h5py.File(changed, "a") as file:
        group = file["train/infrared"]
        for row in np.flatnonzero(np.isin(group["pid"][:], description.holdout_pids)):
            group["image"][row] = 0
    trained(images=changed, train__epochs=1)
    assert results(trained.folder)["weights.safetensors"] == expected


@pytest.mark.parametrize("clip_norm", [0.0, 1e30])
def test_loss_that_is_not_finite_stops_with_epoch_step_and_values(trained, clip_norm):
    with pytest.raises(UserError, match="not finite") as error:
        trained(train__lr=1e30, train__warmup_epochs=0, train__schedule="step", train__clip_norm=clip_norm)
    assert error.value.where.startswith("epoch 1, step 2")
    assert "joint" in error.value.found
    assert "in a batch of cam" in error.value.found
    assert "train.lr" in error.value.remedy
    assert not (trained.folder / "model").exists()


def test_gradient_clipping_bounds_a_plain_step(trained):
    plain = {
        "train__optimizer": "sgd",
        "train__momentum": 0.0,
        "train__nesterov": False,
        "train__weight_decay": 0.0,
    }
    short = {"train__epochs": 1, "train__steps_per_epoch": 1, "train__schedule": "step", "train__warmup_epochs": 0}
    lengths = []
    for clip_norm in (0.0, 0.01):
        weights = []
        for lr in (1e-12, 1.0):
            trained("baseline", train__lr=lr, train__clip_norm=clip_norm, **plain, **short)
            weights.append(load_file(trained.folder / "model" / "weights.safetensors"))
        start, end = weights
        moved = [name for name in start if "running" not in name and "batches" not in name]
        lengths.append(np.sqrt(sum(((end[name] - start[name]) ** 2).sum() for name in moved)))
    assert lengths[0] > 0.1
    assert lengths[1] == pytest.approx(0.01, rel=0.01)


def test_nesterov_without_momentum_is_refused(trained):
    with pytest.raises(UserError, match="nesterov"):
        trained(train__optimizer="sgd", train__nesterov=True, train__momentum=0.0)


def test_training_on_the_tiny_images_finds_held_out_identities_better(trained):
    description = trained("baseline", train__epochs=6, train__steps_per_epoch=10, train__num_instances=2)
    first = table((trained.folder / "curves/plots/metrics/loss/total.tsv").read_bytes())
    assert first[6] < 0.75 * first[1]
    # Chance is about 25 % with four held-out identities.
    assert description.selected_by["holdout/mAP"] > 35


@pytest.mark.parametrize(
    ("of_first", "share", "is_refused"), [("a", 1.0, False), ("b", 0.5, True), ("a", 0.5, True)]
)
def test_processes_that_would_train_something_else_are_refused_by_all(of_first, share, is_refused):
    """Here by the process with the key `a`; it is another's key that differs in the last case."""
    same = []
    fabric = SimpleNamespace(
        device="cpu",
        broadcast=lambda key: of_first,
        all_reduce=lambda value: same.append(value.item()) or torch.tensor(share),
    )
    with pytest.raises(UserError, match="one commit") if is_refused else nullcontext():
        require_the_same_everywhere("a", fabric)
    assert same == [float(of_first == "a")]
