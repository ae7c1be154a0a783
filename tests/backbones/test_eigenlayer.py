"""The SVD layer, by hand and by its defining properties. CPU, seconds."""

import pytest
import torch

from vireid.backbones.eigenlayer import Eigenlayer, LinearNorm
from vireid.support.errors import UserError


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def correlation(weight):
    """Largest cosine between two different weight vectors."""
    unit = torch.nn.functional.normalize(weight, dim=1)
    return (unit @ unit.T - torch.eye(len(unit))).abs().max().item()


@pytest.mark.parametrize(("inputs", "outputs"), [(64, 16), (16, 16), (8, 1)])
def test_eigenlayer_starts_with_orthogonal_weight_vectors(inputs, outputs):
    layer = Eigenlayer(inputs, outputs)
    assert correlation(layer.linear.weight) < 1e-4
    assert layer(torch.randn(5, inputs)).shape == (5, outputs)


def test_decorrelating_keeps_all_distances_of_the_linear_part():
    layer = Eigenlayer(32, 12)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.randn(12, 32) + 1)
    points = torch.randn(9, 32)
    before = torch.cdist(layer.linear(points), layer.linear(points))
    assert correlation(layer.linear.weight) > 0.1
    layer.decorrelate()
    after = torch.cdist(layer.linear(points), layer.linear(points))
    assert correlation(layer.linear.weight) < 1e-4
    assert torch.allclose(before, after, atol=1e-3)


def test_decorrelating_twice_changes_nothing_more():
    layer = Eigenlayer(32, 12)
    before = layer.linear.weight.clone()
    layer.decorrelate()
    assert torch.allclose(layer.linear.weight, before, atol=1e-5)


def test_decorrelating_keeps_the_distances_behind_batch_normalisation_too():
    layer = Eigenlayer(32, 12)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.nn.functional.normalize(torch.randn(12, 32) + 1, dim=1))
        layer.norm.weight.fill_(1.0)
    points = torch.randn(4096, 32)
    before = layer(points)[:40].detach()
    layer.decorrelate()
    after = layer(points)[:40].detach()
    ratio = (torch.pdist(after) / torch.pdist(before)).log()
    assert ratio.abs().max() < 0.15
    with torch.no_grad():
        layer.norm.weight.fill_(1.0)
    assert (torch.pdist(layer(points)[:40]) / torch.pdist(before)).log().std() > 0.1


@pytest.mark.parametrize("dead", [[2], [0, 5], [*range(12)]], ids=["one", "two", "all"])
def test_decorrelating_leaves_the_scale_of_a_vector_of_zeros(dead):
    layer = Eigenlayer(32, 12)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.randn(12, 32) + 1)
        layer.linear.weight[dead] = 0
    before = layer.norm.weight.detach().clone()
    layer.decorrelate()
    after = layer.norm.weight.detach()
    assert torch.isfinite(after).all()
    assert torch.isfinite(layer(torch.randn(6, 32))).all()
    assert torch.equal(after[dead], before[dead])
    assert (after != before).sum() == 12 - len(dead)


def test_slightly_correlated_vectors_keep_their_place_and_sign():
    layer = Eigenlayer(6, 4)
    scales = torch.tensor([2.0, 5.0, 3.0, 4.0])
    before = torch.eye(6)[[3, 0, 5, 1]] * torch.tensor([1.0, -1.0, 1.0, -1.0])[:, None] * scales[:, None] + 0.02
    with torch.no_grad():
        layer.linear.weight.copy_(before)
    layer.decorrelate()
    assert correlation(layer.linear.weight) < 1e-5
    assert torch.allclose(layer.linear.weight, before, atol=0.2)


def test_each_vector_takes_the_closest_one_that_is_left():
    layer = Eigenlayer(24, 9)
    before = torch.randn(9, 24) + 0.5
    with torch.no_grad():
        layer.linear.weight.copy_(before)
    layer.decorrelate()
    found = layer.linear.weight.detach()
    left = [row / row.norm() for row in found]
    for old, new in zip(before, found, strict=True):
        cosines = [float(old @ candidate / old.norm()) for candidate in left]
        best = max(range(len(left)), key=lambda n: abs(cosines[n]))
        assert torch.allclose(left[best], new / new.norm(), atol=1e-5)
        assert old @ new >= 0
        left.pop(best)
    assert left == []


def test_orthogonality_by_hand():
    layer = Eigenlayer(3, 2)
    for rows, expected in (
        ([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0]], 1.0),
        ([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], 0.5),
        ([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0]], 3 / 5),
    ):
        with torch.no_grad():
            layer.linear.weight.copy_(torch.tensor(rows))
        assert layer.orthogonality().item() == pytest.approx(expected)


def test_decorrelating_brings_orthogonality_to_one():
    layer = Eigenlayer(64, 16)
    with torch.no_grad():
        layer.linear.weight.add_(0.3)
    assert layer.orthogonality() < 0.9
    layer.decorrelate()
    assert layer.orthogonality().item() == pytest.approx(1, abs=1e-4)


def test_plain_layer_has_a_bias_of_zero_and_need_not_be_orthogonal():
    layer = LinearNorm(16, 16)
    assert not layer.linear.bias.any()
    assert layer.orthogonality() < 0.9
    assert LinearNorm(4, 9)(torch.randn(5, 4)).shape == (5, 9)


def test_plain_layer_starts_as_in_the_authors_code():
    """Kaiming's rule by the outputs, and a normalisation whose scale is nearly one."""
    layer = LinearNorm(400, 100)
    assert layer.linear.weight.std().item() == pytest.approx((2 / 100) ** 0.5, rel=0.02)
    assert layer.norm.weight.mean().item() == pytest.approx(1, abs=0.005)
    assert layer.norm.weight.std().item() == pytest.approx(0.01, rel=0.2)
    assert not layer.norm.bias.any()


def test_eigenlayer_stays_trainable_after_decorrelating():
    layer = Eigenlayer(8, 4)
    layer(torch.randn(6, 8)).square().sum().backward()
    assert layer.linear.weight.grad is not None
    assert layer.linear.bias is None


def test_eigenlayer_wider_than_its_input_is_refused():
    with pytest.raises(UserError, match="wider than its input") as error:
        Eigenlayer(8, 9)
    assert "8" in error.value.expected
    assert error.value.found == 9
