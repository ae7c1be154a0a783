"""The feature pyramid, by hand and against the whole one. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import interpolate

from vireid.methods.fprnet.pyramid import LEVELS, FeaturePyramid

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
