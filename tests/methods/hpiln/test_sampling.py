"""Sampling by matrices against torch's own: values and gradients. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample, interpolate

from vireid.methods.hpiln.networks.sampling import resized, stripes

SIZES = [(40, 16, 12, 14), (80, 32, 24, 28), (20, 8, 6, 7), (5, 3, 10, 6), (4, 4, 1, 1)]


def random_maps(height, width):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 2, height, width, generator=generator, dtype=torch.float64, requires_grad=True)


def gradients_of(result, *inputs):
    weights = torch.arange(1.0, result.numel() + 1, dtype=torch.float64).view(result.shape)
    return torch.autograd.grad((weights * result).sum(), inputs)


@pytest.mark.parametrize(("height", "width", "to_height", "to_width"), SIZES)
def test_resizing_is_bilinear_with_aligned_corners(height, width, to_height, to_width):
    maps = random_maps(height, width)
    found = resized(maps, to_height, to_width)
    expected = interpolate(maps, size=(to_height, to_width), mode="bilinear", align_corners=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradients_of(found, maps), gradients_of(expected, maps), rtol=1e-4, atol=1e-2)


def test_resizing_keeps_the_corners():
    maps = torch.arange(6.0).view(1, 1, 2, 3)
    assert resized(maps, 3, 5)[0, 0].tolist() == [
        [0, 0.5, 1, 1.5, 2],
        [1.5, 2, 2.5, 3, 3.5],
        [3, 3.5, 4, 4.5, 5],
    ]


@pytest.mark.parametrize("middles", [[0.0, 0.0], [0.0, -0.75], [0.3, 0.6], [-0.9, 0.95], [0.99, -1.0]])
@pytest.mark.parametrize(("height", "width", "to_height", "to_width"), SIZES[:3])
def test_stripes_are_torchs_affine_sampling_then_resizing(height, width, to_height, to_width, middles):
    maps = random_maps(height, width)
    shifts = torch.tensor([middles, [0.01, 0.02], [-0.2, 0.21]], dtype=torch.float64, requires_grad=True)
    found = stripes(maps, shifts, to_height, to_width)
    scale = torch.tensor([[1.0, 0.0], [0.0, 0.25]], dtype=torch.float64).expand(3, 2, 2)
    grid = affine_grid(torch.cat([scale, shifts[..., None]], dim=2), list(maps.shape), align_corners=False)
    sampled = grid_sample(maps, grid, align_corners=False)
    expected = interpolate(sampled, size=(to_height, to_width), mode="bilinear", align_corners=True)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradients_of(found, maps), gradients_of(expected, maps), rtol=1e-3, atol=0.5)


def test_a_stripes_middle_learns():
    maps = torch.linspace(0, 1, 40, dtype=torch.float64).view(1, 1, 40, 1).expand(1, 1, 40, 16)
    middles = torch.tensor([[0.0, 0.0]], dtype=torch.float64, requires_grad=True)
    # On a ramp from 0 to 1 a stripe's mean grows by half of what its middle moves, from -1 to 1, times 40 / 39.
    stripes(maps, middles, 12, 14)[:, :, 2:-2, 2:-2].mean().backward()
    assert middles.grad[0, 1].item() == pytest.approx(0.5 * 40 / 39, rel=1e-3)
