"""Pooling, by hand and by its bounds. CPU, milliseconds."""

import pytest
import torch

from vireid.backbones.pooling import GEM_EXPONENT, pool


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


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
