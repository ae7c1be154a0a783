"""Bilinear sampling by matrices, as torch's own has no deterministic gradient on CUDA.

Rows and columns are sampled by themselves, which is the same where nothing is rotated. The middles of the first
and last pixel lie at -1 and 1 (`align_corners=True`).
"""

import torch
from torch import Tensor

STRIPE_HEIGHT = 0.25  # of the map; a stripe is as wide as the map


def resized(maps: Tensor, height: int, width: int) -> Tensor:
    """(B, C, H, W) to (B, C, height, width), as `interpolate` does; the corners' pixels stay at the corners."""
    rows, columns = (
        _resizing(size, wanted, maps) for size, wanted in zip(maps.shape[2:], (height, width), strict=True)
    )
    return rows @ maps @ columns.T


def stripes(maps: Tensor, middles: Tensor, height: int, width: int) -> Tensor:
    """Cut a stripe out of each map and resize it; what lies outside of a map is zero.

    The stripe is sampled to the map's own size first, as by `affine_grid` and `grid_sample`, and then resized, as
    by `resized`. Those two aligned the corners before torch 1.3, which is younger than HPILN.

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
        centre = (size - 1) / 2
        offsets = torch.arange(size, dtype=middles.dtype, device=maps.device) - centre
        sampling = _weights(centre * (1 + shift) + scale * offsets, size).to(maps.dtype)  # (B, size, size)
        matrices.append(_resizing(size, wanted, maps) @ sampling)
    rows, columns = matrices
    return rows[:, None] @ maps @ columns[:, None].mT


def _resizing(size: int, wanted: int, like: Tensor) -> Tensor:
    """Matrix (wanted, size) that resizes, the first and last pixel staying the first and last."""
    precise = torch.promote_types(like.dtype, torch.float32)
    positions = torch.arange(wanted, dtype=precise, device=like.device) * (size - 1) / max(1, wanted - 1)
    return _weights(positions, size).to(like.dtype)


def _weights(positions: Tensor, size: int) -> Tensor:
    """Weights (..., N, size) of pixels 0 .. size - 1 at positions (..., N) between them.

    The gradient at a pixel is that towards the next one, as `grid_sample` has it. That of 1 - |position - pixel|
    would be wrong there, and a region's columns lie on the pixels at first.
    """
    before = positions.floor()[..., None]
    part = positions[..., None] - before
    pixels = torch.arange(size, device=positions.device)
    return (1 - part) * (pixels == before) + part * (pixels == before + 1)
