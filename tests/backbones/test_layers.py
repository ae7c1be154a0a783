"""Eigenlayer, feature pyramid and pooling, by hand and by their defining properties. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import interpolate

from vireid.backbones.eigenlayer import Eigenlayer
from vireid.backbones.pooling import GEM_EXPONENT, pool
from vireid.backbones.pyramid import FeaturePyramid
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
    before = layer.linear.weight.abs().clone()
    layer.decorrelate()
    assert torch.allclose(layer.linear.weight.abs(), before, atol=1e-5)


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


def test_pyramid_has_the_sizes_of_table_2():
    with torch.device("meta"):
        pyramid = FeaturePyramid((256, 512, 1024, 2048), 256)
        maps = [torch.empty(2, c, *s) for c, s in zip((256, 512, 1024, 2048), SIZES, strict=True)]
        found = pyramid(*maps)
    assert [tuple(level.shape) for level in found] == [(2, 256, *size) for size in SIZES]


SIZES = [(72, 36), (36, 18), (18, 9), (9, 5)]


def constant_pyramid():
    """One channel; lateral layers multiply by 1, 2, 3, 4, smoothing layers by 10 at the centre."""
    pyramid = FeaturePyramid((1, 1, 1, 1), 1)
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.zero_()
        for factor, layer in enumerate(pyramid.lateral, start=1):
            layer.weight.fill_(factor)
        for layer in pyramid.smooth:
            layer.weight[..., 1, 1] = 10
    return pyramid


def test_pyramid_of_constant_maps_is_eq_1_with_the_smoothed_map_going_down():
    maps = [torch.full((1, 1, *size), value) for size, value in zip(SIZES, (1.0, 2.0, 5.0, 7.0), strict=True)]
    p5 = 4 * 7
    p4 = 10 * (3 * 5 + p5)
    p3 = 10 * (2 * 2 + p4)
    p2 = 10 * (1 * 1 + p3)
    for level, value in zip(constant_pyramid()(*maps), (p2, p3, p4, p5), strict=True):
        assert torch.allclose(level, torch.tensor(float(value)))


def test_pyramid_enlarges_bilinearly_with_aligned_corners():
    maps = [torch.zeros(1, 1, *size) for size in ((16, 8), (8, 4), (4, 2), (2, 2))]
    maps[-1][0, 0, 0, 0] = 1.0
    found = constant_pyramid()(*maps)
    assert torch.allclose(found[2], 10 * interpolate(4 * maps[-1], (4, 2), mode="bilinear", align_corners=True))
    assert found[2][0, 0, :, 0].tolist() == pytest.approx([40, 80 / 3, 40 / 3, 0], abs=1e-4)


def test_average_pooling_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]], [[0.0, 0.0], [0.0, -4.0]]]])
    assert pool(maps).tolist() == [[3.0, -1.0]]


def test_generalised_mean_by_hand():
    maps = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]], [[-5.0, 0.0], [0.0, 0.0]]]])
    expected = ((1 + 8 + 27) / 4) ** (1 / 3)
    assert GEM_EXPONENT == 3
    assert pool(maps, "gem")[0].tolist() == pytest.approx([expected, 0.0], abs=1e-4)


def test_generalised_mean_of_nothing_active_has_a_finite_gradient():
    maps = torch.zeros(1, 2, 2, 2, requires_grad=True)
    pool(maps, "gem").sum().backward()
    assert torch.isfinite(maps.grad).all()


def test_generalised_mean_lies_between_mean_and_maximum():
    maps = torch.rand(3, 4, 5, 6)
    found = pool(maps, "gem")
    assert (found >= pool(maps) - 1e-6).all()
    assert (found <= maps.amax(dim=(2, 3)) + 1e-6).all()
