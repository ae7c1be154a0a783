"""FPRnet as its authors released it, and the recipes of the paper and of the release. CPU, seconds."""

import pytest
import torch

from tests.methods.fprnet.small import BATCH, BEST_SET, PAPER, RELEASE, built
from vireid.methods.fprnet.method import Architecture, FPRNet, Objective


def released_at_full_size(**trunk):
    model = RELEASE["model"] | {"trunk": RELEASE["model"]["trunk"] | {"pretrained": False} | trunk}
    with torch.device("meta"):
        return FPRNet(395, Architecture.model_validate(model), Objective.model_validate(RELEASE["loss"]))


def test_release_has_as_many_parameters_as_the_authors_code():
    # Theirs has 57,942,630, with two unused 1000-way ImageNet classifiers.
    assert sum(p.numel() for p in released_at_full_size().parameters()) == 57_942_630 - 2 * 2_049_000 == 53_844_630


@pytest.mark.parametrize(("last_stride", "size"), [(2, (9, 5)), (1, (18, 9))])
def test_last_stride_reaches_both_trunks(last_stride, size):
    for trunk in released_at_full_size(last_stride=last_stride).backbone.separate:
        assert trunk(torch.empty(1, 3, 288, 144, device="meta"))[-1].shape == (1, 2048, *size)


def test_release_trains_the_joint_head_and_classifier_at_full_rate_and_the_rest_at_a_tenth():
    method = released_at_full_size()
    names = {id(p): name.split(".")[0] for name, p in method.named_parameters()}
    rest, full = method.param_groups(0.01)
    assert (rest["lr"], full["lr"]) == (pytest.approx(0.001), 0.01)
    assert {names[id(p)] for p in full["params"]} == {"joint_head", "classifier"}
    assert {names[id(p)] for p in rest["params"]} == {"backbone", "pyramids", "fusion_head", "fusion_classifier"}


def test_release_leaves_the_smoothing_of_p3_as_it_starts():
    untrained = {name for name, p in built(recipe=RELEASE).named_parameters() if not p.requires_grad}
    assert untrained == {f"pyramids.{m}.smooth.1.{part}" for m in (0, 1) for part in ("weight", "bias")}


def test_released_domains_go_through_the_joint_layer_without_its_activation():
    method = built(recipe=RELEASE).eval()
    with torch.inference_mode():
        pooled = method.backbone(BATCH.images, BATCH.visible)[-1].mean(dim=(2, 3))
        expected = method.classifier(method.joint_head[0](pooled))
        found = method.outputs(BATCH).single
    assert torch.allclose(found, expected, atol=1e-5)


SAME = {  # in the paper's recipe and the code's: ImageNet weights, and what the paper leaves to the code
    "num_pids": 32,
    "num_instances": 1,
    "steps_per_epoch": "full",
    "optimizer": "sgd",
    "lr": 0.01,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 0.0005,
    "clip_norm": 0.0,
    "warmup_epochs": 0,
    "schedule": "step",
    "gamma": 0.1,
    "holdout_pids": 0,
    "validate_every": 10,
}
AUGMENTATION = {
    "pad": 10,
    "flip": 0.5,
    "channel_mix": 0.0,
    "signed_mix": False,
    "zoom": 0.0,
    "channel_exchange": 0.0,
}
TRUNK = {"name": "resnet50", "pretrained": True, "last_stride": 2}
HEADS = {
    "joint_block": True,
    "fusion_block": True,
    "single_domains": True,
    "joint_dims": [512],
    "joint_activation": "leaky_relu",
    "fusion_dims": [128, 64],
    "fusion_activation": "relu",
    "pyramid_width": 256,
    "trunk": TRUNK,
    "fusion": {"mode": "horizontal", "features": BEST_SET},
}
TERMS = {"lambda1": 1.0, "lambda2": 1.0, "lambda3": 1.0, "loser_weight": 0.0, "triplet": 0.0, "margin": 0.3}


def test_release_recipe_is_that_of_its_log_and_code():
    augmentation = AUGMENTATION | {"erase": 0.2}
    assert RELEASE["train"] == SAME | {"epochs": 81, "milestones": [30, 60], "augmentation": augmentation}
    svd = {"orthogonal": False, "cycles": 0, "first_epoch": 20, "restraint": 5, "relaxation": 5}
    switches = {"upsample": False, "single_layers": "joint", "pyramid_top_down": "unsmoothed"}
    assert RELEASE["model"] == HEADS | switches | {"svd": svd, "rest_lr_factor": 0.1}
    assert RELEASE["loss"] == TERMS | {"competition": "hits", "correction_gradient": False}


def test_paper_recipe_is_that_of_section_4_2():
    augmentation = AUGMENTATION | {"erase": 0.0}
    assert PAPER["train"] == SAME | {"epochs": 60, "milestones": [30], "augmentation": augmentation}
    svd = {"orthogonal": True, "cycles": 4, "first_epoch": 20, "restraint": 5, "relaxation": 5}
    switches = {"upsample": True, "single_layers": "own", "pyramid_top_down": "smoothed"}
    assert PAPER["model"] == HEADS | switches | {"svd": svd, "rest_lr_factor": 1.0}
    assert PAPER["loss"] == TERMS | {"competition": "rate", "correction_gradient": True}
    assert {group["lr"] for group in built().param_groups(0.01)} == {0.01}
