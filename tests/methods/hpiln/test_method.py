"""HPILN's losses by kind, what learns, its measures and refusals. CPU, seconds."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tests.made import recipe_of
from tests.methods.batches import losses_of, paired_batch, step_on
from tests.methods.hpiln.tiny import tiny
from vireid.backbones import trunks
from vireid.losses.gather import alone
from vireid.losses.pentaplet import pentaplet_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods import build_method, check_method
from vireid.methods.base import Batch
from vireid.methods.hpiln.networks.base import NetworkOutputs
from vireid.support.errors import UserError

KINDS = {
    "identity": {"identity": 1.0},
    "centre": {"identity": 1.0, "centre": 0.003},
    "ht": {"triplet": 1.0},
    "hti": {"triplet": 1.0, "identity": 1.0},
    "hp": {"pentaplet": 1.0},
    "hpi": {"pentaplet": 1.0, "identity": 1.0},
}
LABELS = torch.tensor([0, 0, 1, 1, 0, 0, 1, 1])


def built(network="resnet50", **loss):
    recipe = recipe_of(f"hpiln_{network}")
    torch.manual_seed(0)
    return build_method("hpiln", 4, tiny(recipe["model"]), recipe["loss"] | loss)


def batch_of(vectors, labels=LABELS, visible=4):
    """What a network gives for a batch: two vectors that are compared, and logits of two classifiers."""
    logits = [torch.randn(len(labels), 4), torch.randn(len(labels), 4)]
    images = torch.zeros(len(labels), 3, 1, 1)
    return NetworkOutputs(vectors[0], vectors, logits), Batch(images, labels, visible)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_sums_of_the_papers_losses(kind):
    method = built(kind=kind)
    assert method.loss_weights == KINDS[kind]
    assert losses_of(method, paired_batch([0, 1, 2, 0], 32, 16)).keys() == KINDS[kind].keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("network", ["pcb", "hacnn"])
def test_what_serves_the_identity_loss_alone_is_held_without_it(kind, network):
    method = built(network, kind=kind)
    held = {name for name, p in method.network.named_parameters() if not p.requires_grad}
    expected = {
        f"{name}.{part}" if part else name
        for name, module in method.network.named_modules()
        if any(module is one for one in method.network.only_for_identities())
        for part, _ in module.named_parameters()
    }
    assert held == (set() if "identity" in KINDS[kind] else expected)
    assert expected


def test_terms_are_means_over_vectors_and_classifiers():
    vectors = [torch.randn(8, 3), torch.randn(8, 5)]
    outputs, batch = batch_of(vectors)
    for kind, term, loss in (
        ("hp", "pentaplet", lambda v: pentaplet_loss(v, LABELS, 4, 0.7, alone)),
        ("ht", "triplet", lambda v: batch_hard_triplet_loss(v, LABELS, 0.7, alone)),
    ):
        found = built(kind=kind, margin=0.7).losses(outputs, batch, alone)[term]
        torch.testing.assert_close(found, (loss(vectors[0]) + loss(vectors[1])) / 2)
    found = built(kind="identity").losses(outputs, batch, alone)["identity"]
    torch.testing.assert_close(found, sum(cross_entropy(logits, LABELS) for logits in outputs.logits) / 2)


def test_equal_embeddings_cost_two_margins_and_the_logarithm_of_the_identities():
    outputs, batch = batch_of([torch.ones(8, 3)])
    outputs.logits = [torch.zeros(8, 4)]
    losses = built(kind="hpi", margin=0.9).losses(outputs, batch, alone)
    assert losses["pentaplet"].item() == pytest.approx(1.8, abs=1e-5)
    assert losses["identity"].item() == pytest.approx(math.log(4), abs=1e-5)


def test_centres_are_of_each_compared_vector_and_move_in_training_only():
    method = built("hacnn", kind="centre", centre_rate=0.5)
    assert [tuple(c.centres.shape) for c in method.centres] == [(4, 16), (4, 16)]
    images = paired_batch([0, 1, 2, 3], 160, 64)
    step_on(method, images)
    moved = [c.centres.clone() for c in method.centres]
    assert all(centres.any() for centres in moved)
    step_on(method.eval(), images)
    assert all(torch.equal(c.centres, before) for c, before in zip(method.centres, moved, strict=True))
    assert not list(built(kind="hpi").centres)


def test_rank_1_across_the_spectra_by_hand():
    # Visible at 0 (pid 0) and 10 (pid 1); infrared at 1 (pid 0), 6 (pid 0): the second is nearer to pid 1's.
    vectors = torch.tensor([[0.0], [10.0], [1.0], [6.0]])
    outputs, batch = batch_of([vectors], torch.tensor([0, 1, 0, 0]), 2)
    # Of the visible ones only the first has its own identity nearest, of the infrared ones only the first.
    assert built(kind="hp").measures(outputs, batch)["cross_rank1"].item() == 0.5


@pytest.mark.parametrize("visible", [0, 8])
def test_rank_1_of_one_spectrum_is_zero(visible):
    outputs, batch = batch_of([torch.randn(8, 2)], visible=visible)
    assert built(kind="hp").measures(outputs, batch)["cross_rank1"].item() == 0


def test_accuracy_is_the_classifiers_mean_and_absent_without_the_identity_loss():
    outputs, batch = batch_of([torch.randn(8, 2)])
    right = nn.functional.one_hot(LABELS, 4).float()
    outputs.logits = [right, right.roll(1, dims=1)]
    assert built(kind="hpi").measures(outputs, batch)["accuracy"].item() == 0.5
    assert "accuracy" not in built(kind="hp").measures(outputs, batch)


def test_mgn_refuses_a_trunk_whose_last_stage_cannot_keep_the_resolution(monkeypatch):
    recipe = recipe_of("hpiln_mgn", "demo")
    check_method("hpiln", recipe["model"], recipe["loss"])
    monkeypatch.setattr(
        trunks.timm_trunks, "why_not_a_trunk", lambda name, last_stride: {1: "why"}.get(last_stride)
    )
    with pytest.raises(UserError, match=r"trunk") as error:
        check_method("hpiln", recipe["model"], recipe["loss"])
    name = recipe["model"]["trunk"]["name"]
    assert error.value.expected == (
        f"another trunk for mgn than {name}, whose last stage cannot keep the resolution: why"
    )
    check_method("hpiln", recipe["model"] | {"network": "res_mid"}, recipe["loss"])
