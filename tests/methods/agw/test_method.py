"""AGW: its loss against slow loops, its attention and where it stands. CPU, seconds."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made import built_trunk, recipe_of, small_trunk
from tests.methods.batches import embed_all, paired_batch
from tests.reference.weighted_triplet import weighted_triplet
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import blocks_of
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.agw.method import NonLocal, attend, weighted_triplet_loss
from vireid.methods.necked import NeckedOutputs


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 12), st.sampled_from([0.1, 1, 10]))
@settings(max_examples=60, deadline=None)
def test_loss_agrees_with_the_slow_loops(seed, identities, rows, scale):
    generator = torch.Generator().manual_seed(seed)
    embeddings = (scale * torch.randn(rows, 5, generator=generator, dtype=torch.float64)).requires_grad_()
    labels = torch.randint(identities, (rows,), generator=generator)
    loss = weighted_triplet_loss(embeddings, labels, alone)
    assert loss.item() == pytest.approx(weighted_triplet(embeddings.tolist(), labels.tolist()), rel=1e-5, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_loss_is_the_logarithm_of_two_where_all_embeddings_are_equal():
    loss = weighted_triplet_loss(torch.ones(6, 3), torch.tensor([0, 0, 1, 1, 2, 2]), alone)
    assert loss.item() == pytest.approx(0.6931, abs=1e-3)


def test_attention_starts_as_the_identity():
    feature_map = torch.randn(2, 8, 4, 3)
    assert torch.equal(NonLocal(8, 1)(feature_map), feature_map)


def test_attention_adds_a_mean_over_all_places_weighted_by_likeness():
    block = NonLocal(4, 2).eval()
    torch.nn.init.ones_(block.norm.weight)
    feature_map = torch.randn(1, 4, 3, 2)
    theta, phi, g = (layer(feature_map)[0].flatten(1) for layer in (block.theta, block.phi, block.g))
    places = theta.shape[1]
    averaged = torch.zeros(2, places)
    for here in range(places):
        for other in range(places):
            averaged[:, here] += (theta[:, here] @ phi[:, other]) * g[:, other] / places
    added = block.norm(block.back(averaged.view(1, 2, 3, 2)))
    torch.testing.assert_close(block(feature_map), feature_map + added)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet50", [[], [2, 3], [3, 4, 5], []]),  # behind two blocks of stage 2 and three of stage 3
        ("resnet10_half", [[], [0], [0], []]),  # which has one block in each
    ],
)
def test_attention_stands_behind_the_last_blocks_of_the_second_and_third_stage(name, expected):
    trunk = built_trunk(name)
    before = [len(blocks_of(stage)) for stage in trunk.stages]
    attend(trunk, 1)
    places = []
    for stage, count in zip(trunk.stages, before, strict=True):
        blocks = list(stage) if count > 1 or any(isinstance(m, NonLocal) for m in stage.modules()) else [stage]
        assert len(blocks) == count
        places.append(
            [n for n, block in enumerate(blocks) if any(isinstance(part, NonLocal) for part in block.modules())]
        )
    assert places == expected


def test_attention_leaves_the_maps_of_a_trunk_as_they_were():
    trunk, images = built_trunk("resnet10_half").eval(), torch.randn(2, 3, 64, 32)
    before = trunk(images)
    attend(trunk, 1)
    assert all(torch.equal(*maps) for maps in zip(trunk.eval()(images), before, strict=True))


def built():
    torch.manual_seed(0)
    recipe = recipe_of("agw", "paper")
    return build_method("agw", 2, small_trunk(recipe["model"]), recipe["loss"])


def test_triplet_sees_the_pooled_features_and_identity_the_logits():
    method, batch = built(), paired_batch([0, 1], 48, 24)
    pooled, logits = torch.randn(4, 8, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    losses = method.losses(NeckedOutputs(pooled, logits), batch, alone)
    assert losses["triplet"].item() == pytest.approx(weighted_triplet_loss(pooled, batch.labels, alone).item())
    assert losses["identity"].item() == pytest.approx(math.log(2), rel=1e-5)
    losses["triplet"].backward()
    assert logits.grad is None


def test_ranked_is_what_is_pooled_by_powers_behind_the_neck():
    method, batch = built().eval(), paired_batch([0, 1], 48, 24)
    with torch.inference_mode():
        method.neck.norm.running_mean.fill_(3.0)
        embeddings = embed_all(method, batch)
        pooled = pool(method.backbone(batch.images, batch.visible)[-1], "gem")
        torch.testing.assert_close(embeddings["neck"], method.neck.norm(pooled))
    assert list(method.embedding_dims) == ["neck", "pooled"]
