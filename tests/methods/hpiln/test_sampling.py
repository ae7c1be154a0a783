"""Sampling by matrices against torch's own: values and gradients. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate

from vireid.methods.hpiln.networks.sampling import resized, stripes

# Positions are rounded in float32: on 80 rows by some millionths, times what a map changes from pixel to pixel.
PRECISIONS = [(torch.float64, 1e-10), (torch.float32, 1e-4)]
# Of HACNN's three stages: the map, and a stripe of it.
STAGES = [((80, 32), (24, 28)), ((40, 16), (12, 14)), ((20, 8), (6, 7))]
SIZES = [*STAGES, ((40, 16), (80, 32)), ((5, 3), (10, 6)), ((4, 4), (1, 1)), ((1, 1), (3, 2))]
MIDDLES = [(0.013, -0.751), (0.3, 0.6), (-0.9, 0.95), (0.99, -0.999), (0.001, -0.244)]


def random_maps(size, count=3, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 2, *size, generator=generator, dtype=dtype, requires_grad=True)


def gradients_of(result, *inputs):
    weights = torch.randn(result.shape, generator=torch.Generator().manual_seed(1), dtype=result.dtype)
    return torch.autograd.grad((weights * result).sum(), inputs)


def torchs_stripes(maps, middles, size):
    scale = torch.tensor([[1.0, 0.0], [0.0, 0.25]], dtype=maps.dtype).expand(len(maps), 2, 2)
    grid = affine_grid(torch.cat([scale, middles[..., None]], dim=2), list(maps.shape), align_corners=True)
    sampled = grid_sample(maps, grid, align_corners=True)
    return interpolate(sampled, size=size, mode="bilinear", align_corners=True)


@pytest.mark.parametrize(("size", "wanted"), SIZES)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_resizing_is_bilinear_with_aligned_corners(size, wanted, dtype, tolerance):
    maps, near = random_maps(size, dtype=dtype), {"rtol": tolerance, "atol": tolerance}
    found, expected = resized(maps, *wanted), interpolate(maps, wanted, mode="bilinear", align_corners=True)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, **near)
    torch.testing.assert_close(gradients_of(found, maps), gradients_of(expected, maps), **near)


def test_resizing_keeps_the_corners():
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    assert resized(maps, 3, 5)[0, 0].tolist() == [
        [0, 0.5, 1, 1.5, 2],
        [1.5, 2, 2.5, 3, 3.5],
        [3, 3.5, 4, 4.5, 5],
    ]


@pytest.mark.parametrize(("size", "wanted"), STAGES)
@pytest.mark.parametrize(("dtype", "tolerance"), PRECISIONS)
def test_stripes_are_torchs_affine_sampling_then_resizing(size, wanted, dtype, tolerance):
    maps, near = random_maps(size, len(MIDDLES), dtype), {"rtol": tolerance, "atol": tolerance}
    middles = torch.tensor(MIDDLES, dtype=dtype, requires_grad=True)
    found, expected = stripes(maps, middles, *wanted), torchs_stripes(maps, middles, wanted)
    assert found.dtype == dtype
    torch.testing.assert_close(found, expected, **near)
    for one, other in zip(*(gradients_of(result, maps, middles) for result in (found, expected)), strict=True):
        assert one.any()
        torch.testing.assert_close(one, other, **near)


def test_a_stripe_is_a_quarter_of_the_rows_and_all_columns():
    # Nine rows, of which the middle two, from 3 to 5, are left: a quarter of what lies between row 0 and row 8.
    maps = (10.0 * torch.arange(9)[:, None] + torch.arange(5)).expand(1, 1, 9, 5)
    found = stripes(maps, torch.tensor([[0.0, 0.0]]), 3, 5)[0, 0]
    assert found.tolist() == [[10 * row + column for column in range(5)] for row in (3, 4, 5)]


def test_what_lies_outside_is_zero():
    ones = torch.ones(1, 1, 9, 5)
    # Of 9 rows and 5 columns these are rows 7 to 9, each a quarter of a row below the last, and columns 2 to 6.
    found = stripes(ones, torch.tensor([[1.0, 1.0]]), 9, 5)[0, 0]
    rows = torch.tensor([1, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0])
    assert torch.equal(found, rows[:, None] * torch.tensor([1.0, 1, 1, 0, 0]))


def test_middles_are_x_and_y():
    maps = torch.arange(9.0)[:, None].expand(1, 1, 9, 5)
    down, right = (stripes(maps, torch.tensor([middle]), 9, 5) for middle in ((0.0, 0.5), (0.5, 0.0)))
    assert down[0, 0, :, 0].tolist() == [5, 5.25, 5.5, 5.75, 6, 6.25, 6.5, 6.75, 7]
    assert right[0, 0, 4].tolist() == [4, 4, 4, 4, 0]


def test_each_image_has_a_stripe_of_its_own():
    maps, middles = random_maps((20, 8), count=5), torch.tensor(MIDDLES, dtype=torch.float64)
    rows = [stripes(maps[row, None], middles[row, None], 6, 7) for row in range(5)]
    torch.testing.assert_close(stripes(maps, middles, 6, 7), torch.cat(rows))


def test_columns_on_the_pixels_learn_as_those_just_to_their_right():
    # At first the columns lie on the pixels, where a gradient has two sides.
    maps = random_maps((20, 8), count=1)
    left, on, right = (
        gradients_of(stripes(maps, middles, 6, 7), middles)[0][0, 0]
        for x in (-1e-9, 0.0, 1e-9)
        for middles in [torch.tensor([[x, -0.6351]], dtype=torch.float64, requires_grad=True)]
    )
    torch.testing.assert_close(on, right, rtol=1e-6, atol=1e-6)
    assert (on - left).abs() > 0.1


def test_weights_of_low_precision_are_of_positions_of_full_precision():
    maps = random_maps((80, 32), count=5, dtype=torch.float32)
    middles = torch.tensor(MIDDLES)
    found = stripes(maps.bfloat16(), middles, 24, 28)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), stripes(maps, middles, 24, 28), rtol=0.02, atol=0.05)
    moved = stripes(maps, middles.bfloat16().float(), 24, 28)  # what positions of low precision would give
    assert (moved - stripes(maps, middles, 24, 28)).abs().max() > 0.1
