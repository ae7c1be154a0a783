"""Bilinear sampling by matrices, as torch's own has no deterministic gradient on CUDA.

Rows and columns are sampled by themselves, which is the same where nothing is rotated.
"""

import torch
from torch import Tensor

STRIPE_HEIGHT = 0.25  # of the map; a stripe is as wide as the map


def resized(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, H, W) to (B, C, height, width), the corners' pixels staying at the corners (`align_corners=True`)."""
    rows, columns = (
        _aligned(size, wanted, maps) for size, wanted in zip(maps.shape[2:], (height, width), strict=True)
    )
    return rows @ maps @ columns.T


def stripes(maps: Tensor, middles: Tensor, height: int, width: int) -> Tensor:
    """Cut a stripe out of each map and resize it; what lies outside of a map is zero.

    The stripe is sampled to the map's own size first, as `affine_grid` and `grid_sample` do
    (`align_corners=False`), and then resized as by `resized`.

    Args:
        maps: (B, C, H, W) float.
        middles: (B, 2) float32, x and y of a stripe's middle, from -1 to 1 over the map.
        height: Of what is returned.
        width: Likewise.

    Returns:
        (B, C, height, width).
    """
    scales = (STRIPE_HEIGHT, 1.0)
    shifts = (middles[:, 1, None], middles[:, 0, None])
    matrices = []
    for size, wanted, scale, shift in zip(maps.shape[2:], (height, width), scales, shifts, strict=True):
        pixels = (2 * torch.arange(size, device=maps.device) + 1) / size - 1  # their middles, from -1 to 1
        positions = ((pixels * scale + shift + 1) * size - 1) / 2
        sampled = _weights(positions, size).to(maps.dtype)  # (B, size, size)
        matrices.append(_aligned(size, wanted, maps) @ sampled)
    rows, columns = matrices
    return rows[:, None] @ maps @ columns[:, None].mT


def _aligned(size: int, wanted: int, like: Tensor) -> Tensor:
    """Matrix (wanted, size) that resizes, the first and last pixel staying the first and last."""
    positions = torch.arange(wanted, device=like.device) * ((size - 1) / max(1, wanted - 1))
    return _weights(positions, size).to(like.dtype)


def _weights(positions: Tensor, size: int) -> Tensor:
    """Weights (..., N, size) of pixels 0 .. size - 1 at positions (..., N) between them."""
    pixels = torch.arange(size, device=positions.device)
    return (1 - (positions[..., None] - pixels).abs()).clamp(min=0)
