"""Pooling of horizontal strips, cut as torch's adaptive pooling cuts them.

That one has no deterministic gradient on CUDA. Where the height is no multiple of the number of strips,
neighbouring strips overlap by a row.
"""

import torch
from torch import Tensor


def average_of_strips(feature_map: Tensor, count: int) -> Tensor:
    """(B, C, H, W) to (B, count, C): the mean of each strip, from the top down."""
    return torch.stack([strip.mean(dim=(2, 3)) for strip in _strips(feature_map, count)], dim=1)


def maximum_of_strips(feature_map: Tensor, count: int) -> list[Tensor]:
    """(B, C, H, W) to (B, C) for each strip, from the top down; equal maxima share the gradient."""
    return [strip.amax(dim=(2, 3)) for strip in _strips(feature_map, count)]


def _strips(feature_map: Tensor, count: int) -> list[Tensor]:
    height = feature_map.shape[2]
    bounds = [(number * height // count, -(-(number + 1) * height // count)) for number in range(count)]
    return [feature_map[:, :, top:bottom] for top, bottom in bounds]
