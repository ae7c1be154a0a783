"""DDAG: both attentions against slow loops, and the graph's weight. CPU, seconds."""

import math

import pytest
import torch
from torch.nn.functional import elu

from tests.made import recipe_of
from tests.methods.batches import losses_of, paired_batch, step_on
from tests.methods.ddag.tiny import tiny
from tests.reference.identity_graph import attention, projected
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.ddag.method import GraphLayer, Outputs, PartAttention


def built():
    torch.manual_seed(0)
    recipe = recipe_of("ddag", "paper")
    return build_method("ddag", 3, tiny(recipe["model"]), recipe["loss"])


@torch.no_grad()
def test_parts_are_means_over_all_parts_weighted_by_likeness_and_added_up_by_importance():
    torch.manual_seed(1)
    attention, feature_map = PartAttention(4, 3), torch.randn(2, 4, 6, 2)
    attention.importance.copy_(torch.tensor([0.0, 1.0, 2.0]))
    importance = [math.exp(value) / sum(map(math.exp, (0, 1, 2))) for value in (0, 1, 2)]
    expected = torch.zeros(2, 4)
    for image in range(2):
        strips = [feature_map[image, :, 2 * part : 2 * part + 2].mean(dim=(1, 2)) for part in range(3)]
        for part, strip in enumerate(strips):
            powers = [math.exp(attention.query(strip) @ attention.key(other)) for other in strips]
            for power, other in zip(powers, strips, strict=True):
                expected[image] += importance[part] * power / sum(powers) * attention.value(other)
    torch.testing.assert_close(attention(feature_map), expected)


@torch.no_grad()
def test_graph_layer_puts_the_heads_in_a_row_each_a_weighted_mean_within_the_identity():
    torch.manual_seed(2)
    layer, nodes, labels = GraphLayer(5, 3, 2), torch.randn(4, 5), torch.tensor([0, 1, 0, 0])
    weights, expected = attention(layer, nodes, labels), torch.zeros(4, 6)
    for head in range(2):
        h = projected(layer, nodes, head)
        for i in range(4):
            mixed = sum(weights[head, i, j] * h[j] for j in range(4))
            expected[i, 3 * head : 3 * head + 3] = elu(mixed)
    torch.testing.assert_close(layer(nodes, labels), expected)


def test_graph_counts_from_the_second_epoch_on_and_more_as_the_others_fall():
    method = built()
    assert method.loss_weights["graph"] == 0
    losses = {"loss/identity": 1.0, "loss/triplet": 0.5, "loss/parts": 1.5, "loss/graph": 9.0}
    method.on_epoch(1, [losses])
    assert method.loss_weights["graph"] == pytest.approx(1 / 4)
    method.on_epoch(2, [losses, losses | {"loss/parts": 0.5}])
    assert method.loss_weights["graph"] == pytest.approx(1 / 3)
    assert step_on(method, paired_batch([0, 1, 2], 64, 32)).measures["graph_weight"].item() == pytest.approx(1 / 3)
    method.on_epoch(0, [])
    assert method.loss_weights["graph"] == 0


def test_pooled_is_compared_and_both_embeddings_are_classified():
    method, batch = built(), paired_batch([0, 1, 2], 64, 32)
    width = method.embedding_dims["pooled"]
    sure = 50 * torch.eye(3)[batch.labels]
    pooled, attended = torch.zeros(6, width, requires_grad=True), torch.randn(6, width, requires_grad=True)
    losses = method.losses(Outputs(pooled, attended, torch.zeros(6, 3), sure), batch, alone)
    assert losses["triplet"].item() == pytest.approx(method.margin, abs=1e-5)
    assert losses["identity"].item() == pytest.approx(math.log(3), rel=1e-5)
    assert losses["parts"].item() == pytest.approx(0, abs=1e-5)
    losses["graph"].backward()
    assert pooled.grad is None
    assert attended.grad.any()


def test_ranked_is_the_neck_with_the_attended_parts_added_to_it():
    method, images = built().eval(), torch.randn(2, 3, 64, 32)
    torch.nn.init.zeros_(method.part_attention.value.weight)
    torch.nn.init.constant_(method.part_attention.value.bias, 0.25)
    embeddings = method.embed(images, 0)
    assert next(iter(method.embedding_dims)) == "attended"
    torch.testing.assert_close(embeddings["attended"], embeddings["neck"] + 0.25)


def test_every_part_of_it_learns():
    method = built()
    losses = losses_of(method, paired_batch([0, 1, 2], 64, 32))
    sum(losses.values()).backward()
    still = [n for n, p in method.named_parameters() if p.requires_grad and not p.grad.any()]
    # At the first step the importance of equal parts cannot be told from the map's one row.
    assert set(still) <= {"part_attention.importance", "part_attention.query.weight"}
