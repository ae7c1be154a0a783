"""The baseline: what the BN neck separates, and its learning rates. CPU, seconds."""

import math
from dataclasses import replace

import pytest
import torch

from tests.made import recipe_of, small_trunk
from tests.methods.batches import embed_all, losses_of, paired_batch, weighted_sum
from vireid.backbones.pooling import pool
from vireid.losses.gather import alone
from vireid.methods.baseline.method import Architecture, Baseline, Objective
from vireid.methods.necked import NeckedOutputs

PAPER = recipe_of("baseline", "paper")
BATCH = paired_batch([0, 1], 48, 24, seed=1)


def built(num_pids=2, loss=None, **trunk):
    torch.manual_seed(0)
    model = small_trunk(PAPER["model"], **trunk)
    return Baseline(
        num_pids, Architecture.model_validate(model), Objective.model_validate(PAPER["loss"] | (loss or {}))
    )


def test_trunk_learns_at_a_factor_of_the_rate():
    groups = built().param_groups(0.1)
    assert [group["lr"] for group in groups] == pytest.approx([0.01, 0.1])


def test_neck_has_no_trainable_shift_and_the_classifier_no_bias():
    method = built()
    assert not method.neck.norm.bias.requires_grad
    assert method.neck.classifier.bias is None


def test_identity_loss_starts_at_the_logarithm_of_the_number_of_identities():
    method = built(395)
    assert losses_of(method, BATCH)["identity"].item() == pytest.approx(math.log(395), abs=0.05)


def test_triplet_sees_the_pooled_features_and_identity_the_logits():
    method = built()
    outputs = NeckedOutputs(torch.zeros(4, 256, requires_grad=True), torch.zeros(4, 2, requires_grad=True))
    losses = method.losses(outputs, BATCH, alone)
    assert losses["triplet"].item() == pytest.approx(PAPER["loss"]["margin"], abs=1e-5)
    assert losses["identity"].item() == pytest.approx(math.log(2), rel=1e-5)
    losses["triplet"].backward()
    assert outputs.logits.grad is None


def test_ranked_embedding_comes_after_the_neck_and_the_other_before_it():
    method = built().eval()
    with torch.inference_mode():
        method.neck.norm.running_mean.fill_(3.0)
        found = embed_all(method, BATCH)
        pooled = pool(method.backbone(BATCH.images, BATCH.visible)[-1])
        assert torch.allclose(found["pooled"], pooled)
        assert torch.allclose(found["neck"], method.neck.norm(pooled))
    assert list(method.embedding_dims) == ["neck", "pooled"]


def test_weights_margin_and_smoothing_reach_the_losses():
    method = built(loss={"identity": 2.0, "triplet": 0.5, "margin": 0.7, "label_smoothing": 0.2})
    assert method.loss_weights == {"identity": 2.0, "triplet": 0.5}
    logits = torch.tensor([[5.0, 0.0]] * 4)
    batch = replace(BATCH, labels=torch.tensor([0, 0, 0, 1]))
    losses = method.losses(NeckedOutputs(torch.zeros(4, 8), logits), batch, alone)
    right, wrong = math.log(1 + math.exp(-5)), math.log(1 + math.exp(-5)) + 5
    rows = [0.9 * right + 0.1 * wrong] * 3 + [0.9 * wrong + 0.1 * right]
    assert losses["identity"].item() == pytest.approx(sum(rows) / 4, rel=1e-4)
    assert losses["triplet"].item() == pytest.approx(0.7, abs=1e-5)


def test_accuracy_counts_right_predictions():
    outputs = NeckedOutputs(torch.zeros(4, 8), torch.tensor([[1.0, 0.0]] * 4))
    assert built().measures(outputs, BATCH)["accuracy"].item() == 0.5


@pytest.mark.parametrize("share_from", [1, 5])
def test_sharing_decides_how_many_parameters_there_are(share_from):
    method = built(share_from=share_from)
    count = sum(p.numel() for p in method.backbone.parameters())
    single = sum(p.numel() for p in method.backbone.shared.parameters())
    copies = sum(p.numel() for p in method.backbone.separate[0].parameters())
    assert count == 2 * copies + single
    assert (single == 0) == (share_from == 5)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "resnet50"])
def test_larger_trunks_are_trained_and_embed(name):
    method = built(name=name)
    weighted_sum(method, losses_of(method, BATCH)).backward()
    gradients = [p.grad for p in method.parameters() if p.requires_grad]
    assert all(gradient is not None and torch.isfinite(gradient).all() for gradient in gradients)
    with torch.inference_mode():
        embeddings = embed_all(method.eval(), BATCH)
    assert {name: tuple(values.shape) for name, values in embeddings.items()} == {
        name: (4, width) for name, width in method.embedding_dims.items()
    }
