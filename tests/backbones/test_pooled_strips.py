"""Strips against torch's adaptive pooling: values and gradients. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from vireid.backbones.pooled_strips import average_of_strips, maximum_of_strips

SIZES = [(14, 6), (12, 6), (7, 6), (24, 2), (24, 3), (7, 3), (1, 1), (2, 3)]


def random_maps(height):
    generator = torch.Generator().manual_seed(height)
    return torch.randn(2, 3, height, 5, generator=generator, dtype=torch.float64, requires_grad=True)


def gradient_of(maps, pooled):
    weights = torch.arange(1.0, pooled.numel() + 1, dtype=torch.float64).view(pooled.shape)
    (gradient,) = torch.autograd.grad((weights * pooled).sum(), maps)
    return gradient


@pytest.mark.parametrize(("height", "count"), SIZES)
def test_average_is_adaptive_pooling(height, count):
    maps = random_maps(height)
    strips = average_of_strips(maps, count)
    expected = adaptive_avg_pool2d(maps, (count, 1))[..., 0].mT
    torch.testing.assert_close(strips, expected)
    torch.testing.assert_close(gradient_of(maps, strips), gradient_of(maps, expected))


@pytest.mark.parametrize(("height", "count"), SIZES)
def test_maximum_is_adaptive_pooling(height, count):
    maps = random_maps(height)
    strips = torch.stack(maximum_of_strips(maps, count), dim=1)
    expected = adaptive_max_pool2d(maps, (count, 1))[..., 0].mT
    torch.testing.assert_close(strips, expected)
    torch.testing.assert_close(gradient_of(maps, strips), gradient_of(maps, expected))


def test_every_height_is_cut_as_adaptive_pooling_cuts_it():
    for height in range(1, 31):
        maps = random_maps(height)
        for count in range(1, 9):
            expected = adaptive_avg_pool2d(maps, (count, 1))[..., 0].mT
            torch.testing.assert_close(average_of_strips(maps, count), expected)
            expected = adaptive_max_pool2d(maps, (count, 1))[..., 0].mT
            assert torch.equal(torch.stack(maximum_of_strips(maps, count), dim=1), expected)


def test_equal_maxima_share_the_gradient():
    maps = torch.tensor([2.0, 2.0, 1.0, 0.0, 0.0, 0.0]).view(1, 1, 6, 1).requires_grad_()
    torch.stack(maximum_of_strips(maps, 2)).sum().backward()
    torch.testing.assert_close(maps.grad.flatten(), torch.tensor([1 / 2, 1 / 2, 0, 1 / 3, 1 / 3, 1 / 3]))


def test_neighbouring_strips_of_14_rows_in_6_share_a_row():
    # Rows 0-2, 2-4, 4-6, 7-9, 9-11, 11-13.
    rows = torch.arange(14.0).view(1, 1, 14, 1)
    assert average_of_strips(rows, 6).flatten().tolist() == [1, 3, 5, 8, 10, 12]
    assert [strip.item() for strip in maximum_of_strips(rows, 6)] == [2, 4, 6, 9, 11, 13]
