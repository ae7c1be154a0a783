"""Mutual prediction: the rows of its ablation, what each loss sees, what is ranked. CPU, seconds."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from tests.made import recipe_of
from tests.methods.batches import embed_all, losses_of, paired_batch, step_on
from tests.methods.mutual_prediction.tiny import tiny
from vireid.backbones.pooled_strips import average_of_strips
from vireid.data.records import Modality
from vireid.losses.gather import alone
from vireid.losses.hetero_centre import hetero_centre_triplet_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.mutual_prediction.method import Architecture, MutualPrediction, Objective

PAPER = recipe_of("mutual_prediction", "paper")
BATCH = paired_batch([0, 1, 2, 0], 64, 32, seed=1)
BASE, FINE, EXPERTS = (
    ["identity/global", "triplet"],
    ["identity/strips", "centres/together", "centres/each"],
    ["specific", "mutual"],
)


def built(num_pids=3, loss=None, **model):
    torch.manual_seed(0)
    return MutualPrediction(
        num_pids,
        Architecture.model_validate(tiny(PAPER["model"]) | model),
        Objective.model_validate(PAPER["loss"] | (loss or {})),
    )


@pytest.mark.parametrize(
    ("model", "terms", "embeddings"),
    [
        ({"fine_grained": False, "prediction": "off"}, BASE, {"neck": 256}),
        ({"prediction": "off"}, BASE + FINE, {"joined": 272, "neck": 256, "strips": 16}),
        ({"fine_grained": False}, BASE + EXPERTS, {"neck": 256}),
        ({}, BASE + FINE + EXPERTS, {"joined": 272, "neck": 256, "strips": 16}),
    ],
)
def test_switches_are_the_rows_of_the_ablation(model, terms, embeddings):
    method = built(**model)
    assert list(method.loss_weights) == terms
    assert list(losses_of(method, BATCH)) == terms
    assert method.embedding_dims == embeddings


def test_alpha_weighs_the_experts_own_loss_and_beta_the_prediction():
    assert built().loss_weights["specific"] == 12.2
    assert built().loss_weights["mutual"] == 0.4
    weights = built(loss=recipe_of("mutual_prediction_regdb", "paper")["loss"]).loss_weights
    assert (weights["specific"], weights["mutual"]) == (35, 4)
    assert {weights[name] for name in BASE + FINE} == {1.0}


def test_every_loss_sees_what_it_should():
    method = built()
    outputs = method.outputs(BATCH)
    losses = method.losses(outputs, BATCH, alone)
    labels, visible, margin = BATCH.labels, BATCH.visible, PAPER["loss"]["margin"]
    cross_entropy = torch.nn.CrossEntropyLoss()
    assert len(outputs.strips) == 2
    expected = {
        "identity/global": cross_entropy(method.neck.classifier(method.neck.norm(outputs.pooled)), labels),
        "triplet": batch_hard_triplet_loss(outputs.pooled, labels, margin, alone),
        "identity/strips": sum(
            cross_entropy(classifier(strip), labels)
            for classifier, strip in zip(method.fine_grained.classifiers, outputs.strips, strict=True)
        ),
        "centres/together": hetero_centre_triplet_loss(
            torch.cat(outputs.strips, 1), labels, visible, margin, alone
        ),
        "centres/each": sum(
            hetero_centre_triplet_loss(strip, labels, visible, margin, alone) for strip in outputs.strips
        )
        / 2,
    }
    unit = normalize(outputs.neck)
    weights = method.experts.weight.detach()
    for name, order in {"specific": (0, 1), "mutual": (1, 0)}.items():
        expected[name] = sum(
            cross_entropy(unit[BATCH.rows(modality)] @ weights[expert].T, labels[BATCH.rows(modality)])
            for modality, expert in zip(Modality, order, strict=True)
        )
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, msg=name)


def test_strips_are_cut_from_the_top_down():
    method = built().eval()
    feature_map = torch.randn(2, 256, 6, 3)
    strips = average_of_strips(feature_map, 2)
    for number, strip in enumerate(method.fine_grained(feature_map)):
        torch.testing.assert_close(strip, method.fine_grained.layers[number](strips[:, number]))
    assert strips[:, 0].equal(feature_map[:, :, :3].mean((2, 3)))


def test_losses_start_at_the_logarithm_of_the_number_of_identities():
    losses = losses_of(built(395), BATCH)
    assert losses["identity/global"].item() == pytest.approx(math.log(395), abs=0.05)
    for name in EXPERTS:
        assert losses[name].item() == pytest.approx(2 * math.log(395), abs=0.01)


def test_experts_losses_move_the_trunk_and_the_neck_but_not_its_classifier():
    method = built()
    losses = losses_of(method, BATCH)
    (losses["specific"] + losses["mutual"]).backward()
    assert all(p.grad is not None and p.grad.any() for p in method.backbone.parameters())
    assert method.neck.norm.weight.grad.any()
    assert method.neck.classifier.weight.grad is None
    assert all(p.grad is None for p in method.fine_grained.parameters())


@pytest.mark.parametrize("kind", ["frozen", "ema", "alternating", "symmetric"])
def test_every_alternative_is_trained(kind):
    step = step_on(built(prediction=kind), BATCH)
    assert all(torch.isfinite(loss) for loss in step.losses.values())
    assert {"accuracy/global", "accuracy/strips", "accuracy/experts", "accuracy/crossed"} == step.measures.keys()


def test_measures_tell_an_experts_verdict_on_its_own_spectrum_from_that_on_the_other():
    method = built()
    outputs = method.outputs(BATCH)
    with torch.no_grad():
        # The visible expert knows the embeddings of all visible rows, and nobody knows the infrared ones.
        method.experts.weight.zero_()
        for row in (1, 2, 3):
            method.experts.weight[0, BATCH.labels[row]] = normalize(outputs.neck[row], dim=0) * 9
        outputs.neck[:4] = outputs.neck[[3, 1, 2, 3]]
        outputs.neck[4:] = outputs.neck[[1, 1, 1, 1]]  # to the visible expert all are identity 1
    measures = method.measures(outputs, BATCH)
    assert measures["accuracy/crossed"].item() == pytest.approx((2 + 1) / 8)  # zeros are taken for identity 0
    assert measures["accuracy/experts"].item() == pytest.approx((4 + 2) / 8)


def test_ranked_embedding_is_the_neck_and_the_strips_in_a_row():
    embeddings = embed_all(built().eval(), BATCH)
    torch.testing.assert_close(embeddings["joined"], torch.cat([embeddings["neck"], embeddings["strips"]], dim=1))
    assert next(iter(embeddings)) == "joined"


def test_trunk_learns_at_a_factor_of_the_rate():
    assert [group["lr"] for group in built().param_groups(0.1)] == pytest.approx([0.01, 0.1])


def test_paper_recipe_is_that_of_the_scan_and_of_agw():
    train = PAPER["train"]
    assert (PAPER["ingest"]["height"], PAPER["ingest"]["width"]) == (288, 144)
    assert (train["optimizer"], train["lr"], train["weight_decay"]) == ("sgd", 0.1, 0.0005)
    assert (train["momentum"], train["nesterov"], train["epochs"]) == (0.9, True, 80)
    assert (train["warmup_epochs"], train["schedule"], train["milestones"], train["gamma"]) == (
        10,
        "step",
        [20, 50],
        0.1,
    )
    assert (train["num_pids"], train["num_instances"]) == (8, 4)
    assert train["augmentation"] == {
        "pad": 10,
        "flip": 0.5,
        "erase": 0.0,
        "channel_mix": 0.0,
        "signed_mix": False,
        "zoom": 0.0,
        "channel_exchange": 0.0,
    }
    assert PAPER["model"] == {
        "trunk": {
            "name": "resnet50",
            "pretrained": True,
            "last_stride": 1,
            "share_from": 1,
            "lr_factor": 0.1,
        },
        "fine_grained": True,
        "strips": 6,
        "strip_width": 256,
        "prediction": "frozen",
    }
    assert PAPER["loss"] == {"alpha": 12.2, "beta": 0.4, "margin": 0.3, "ema_rate": 0.2}
