"""Eigenlayer, feature pyramid and pooling, by hand and by their defining properties. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import interpolate

from vireid.methods.fprnet.eigenlayer import Eigenlayer, LinearNorm
from vireid.backbones.pooling import GEM_EXPONENT, pool
from vireid.methods.fprnet.pyramid import LEVELS, FeaturePyramid
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


def test_frozen_layer_keeps_its_weights_whatever_the_optimiser_remembers():
    layer = Eigenlayer(8, 4)
    optimizer = torch.optim.SGD(layer.parameters(), 0.1, momentum=0.9, weight_decay=0.1)

    def step():
        optimizer.zero_grad()
        layer(torch.randn(6, 8)).pow(3).sum().backward()
        optimizer.step()
        return layer.linear.weight.detach().clone()

    first = step()
    layer.freeze(True)
    norm = layer.norm.weight.detach().clone()
    assert torch.equal(step(), first)
    assert not torch.equal(layer.norm.weight, norm)
    layer.freeze(False)
    assert not torch.equal(step(), first)


def test_plain_layer_has_a_bias_of_zero_and_need_not_be_orthogonal():
    layer = LinearNorm(16, 16)
    assert not layer.linear.bias.any()
    assert layer.orthogonality() < 0.9
    assert LinearNorm(4, 9)(torch.randn(5, 4)).shape == (5, 9)


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


SIZES = [(72, 36), (36, 18), (18, 9), (9, 5)]


def test_pyramid_has_the_sizes_and_parameters_of_table_2():
    with torch.device("meta"):
        pyramid = FeaturePyramid((256, 512, 1024, 2048), 256, LEVELS, "smoothed")
        maps = [torch.empty(2, c, *s) for c, s in zip((256, 512, 1024, 2048), SIZES, strict=True)]
        found = pyramid(*maps)
    assert {level: tuple(part.shape) for level, part in found.items()} == {
        level: (2, 256, *size) for level, size in zip(LEVELS, SIZES, strict=True)
    }
    assert sum(p.numel() for p in pyramid.parameters()) == 2_754_304  # as counted in the authors' code


def constant_pyramid(top_down="smoothed", levels=LEVELS):
    """One channel; lateral layers multiply by 1, 2, 3, 4, smoothing layers by 10 at the centre."""
    pyramid = FeaturePyramid((1, 1, 1, 1), 1, levels, top_down)
    with torch.no_grad():
        for parameter in pyramid.parameters():
            parameter.zero_()
        for factor, layer in enumerate(pyramid.lateral, start=1):
            layer.weight.fill_(factor)
        for layer in pyramid.smooth:
            layer.weight[..., 1, 1] = 10
    return pyramid


def constant_maps():
    return [torch.full((1, 1, *size), value) for size, value in zip(SIZES, (1.0, 2.0, 5.0, 7.0), strict=True)]


def test_pyramid_of_constant_maps_is_eq_1_with_the_smoothed_map_going_down():
    p5 = 4 * 7
    p4 = 10 * (3 * 5 + p5)
    p3 = 10 * (2 * 2 + p4)
    p2 = 10 * (1 * 1 + p3)
    found = constant_pyramid()(*constant_maps())
    for level, value in zip(LEVELS, (p2, p3, p4, p5), strict=True):
        assert torch.allclose(found[level], torch.tensor(float(value)))


def test_unsmoothed_pyramid_smooths_each_sum_for_itself():
    s5 = 4 * 7
    s4 = 3 * 5 + s5
    s3 = 2 * 2 + s4
    s2 = 1 * 1 + s3
    found = constant_pyramid("unsmoothed")(*constant_maps())
    for level, value in zip(LEVELS, (10 * s2, 10 * s3, 10 * s4, s5), strict=True):
        assert torch.allclose(found[level], torch.tensor(float(value)))


@pytest.mark.parametrize("top_down", ["smoothed", "unsmoothed"])
@pytest.mark.parametrize("levels", [(5,), (2,), (4, 5), (2, 5), (3,), ()])
def test_wanted_levels_are_as_in_the_whole_pyramid_and_only_what_they_need_is_trained(levels, top_down):
    torch.manual_seed(1)
    whole = FeaturePyramid((3, 4, 5, 6), 2, LEVELS, top_down)
    part = FeaturePyramid((3, 4, 5, 6), 2, levels, top_down)
    part.load_state_dict(whole.state_dict())
    maps = [torch.randn(2, c, *s) for c, s in zip((3, 4, 5, 6), ((8, 6), (4, 3), (2, 2), (1, 1)), strict=True)]
    found, expected = part(*maps), whole(*maps)
    assert found.keys() == set(levels)
    assert all(torch.equal(found[level], expected[level]) for level in levels)
    if levels:
        sum(level.square().sum() for level in found.values()).backward()
    for parameter in part.parameters():
        assert parameter.requires_grad == (parameter.grad is not None)


def test_pyramid_enlarges_bilinearly_with_aligned_corners():
    maps = [torch.zeros(1, 1, *size) for size in ((16, 8), (8, 4), (4, 2), (2, 2))]
    maps[-1][0, 0, 0, 0] = 1.0
    found = constant_pyramid()(*maps)
    assert torch.allclose(found[4], 10 * interpolate(4 * maps[-1], (4, 2), mode="bilinear", align_corners=True))
    assert found[4][0, 0, :, 0].tolist() == pytest.approx([40, 80 / 3, 40 / 3, 0], abs=1e-4)


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
