"""LOMO: local maximal occurrence of colours and textures (Liao et al., CVPR 2015).

Windows of 10x10 pixels slide in steps of 5 over the image, and over it at a half and a quarter of its size. Each
has a joint histogram of hue, saturation and value, and two of a ternary texture pattern. Of the windows of a row,
each bin keeps the largest count: where in the row something is seen, depends on the pose.

Deviation: the images are not brightened by multi-scale Retinex before.
"""

import numpy as np
from skimage.color import rgb2hsv
from skimage.transform import downscale_local_mean

HEIGHT, WIDTH = 128, 48  # pixels, to which images are resized before
SCALES = 3
STEP = 5  # pixels; a window has twice as many
LEVELS = 8  # of each of hue, saturation and value
RADII = (3, 5)  # pixels, of the texture pattern's four neighbours
TOLERANCE = 0.3  # a neighbour is as bright as the centre within this share of it
PATTERNS = 3**4
ROWS = 24 + 11 + 5  # of windows, at the three scales
DIM = ROWS * (LEVELS**3 + len(RADII) * PATTERNS)  # 26,960


def lomo_features(images: np.ndarray) -> np.ndarray:
    """Describe images by the logarithm of their largest counts, colours and textures at length one each.

    Args:
        images: (N, 128, 48, 3) uint8 RGB.

    Returns:
        (N, 26960) float32.
    """
    colours, textures = [], []
    scaled = images.astype(np.float64) / 255
    for scale in range(SCALES):
        if scale:
            scaled = downscale_local_mean(scaled, (1, 2, 2, 1))
        colours.append(largest_counts(colour_bins(scaled), LEVELS**3))
        grey = scaled.mean(axis=3)
        textures += [largest_counts(texture_patterns(grey, radius), PATTERNS) for radius in RADII]
    return np.concatenate([_logarithm(colours), _logarithm(textures)], axis=1).astype(np.float32)


def colour_bins(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) float RGB in [0, 1] to joint bins of hue, saturation and value, (N, H, W) int in [0, 512)."""
    levels = np.minimum((rgb2hsv(images) * LEVELS).astype(int), LEVELS - 1)
    return (levels[..., 0] * LEVELS + levels[..., 1]) * LEVELS + levels[..., 2]


def texture_patterns(grey: np.ndarray, radius: int) -> np.ndarray:
    """Scale-invariant local ternary pattern: each of four neighbours is as bright as a pixel, brighter or darker.

    Beyond the border stands what stands at it.

    Args:
        grey: (N, H, W) float.
        radius: Of the neighbours to the right, below, to the left and above, pixels.

    Returns:
        (N, H, W) int in [0, 81).
    """
    _, height, width = grey.shape
    padded = np.pad(grey, ((0, 0), (radius, radius), (radius, radius)), mode="edge")
    pattern = np.zeros(grey.shape, int)
    for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        top, left = radius * (1 + down), radius * (1 + right)
        neighbour = padded[:, top : top + height, left : left + width]
        brighter, darker = neighbour > (1 + TOLERANCE) * grey, neighbour < (1 - TOLERANCE) * grey
        pattern = 3 * pattern + brighter + 2 * darker
    return pattern


def largest_counts(bins: np.ndarray, count: int) -> np.ndarray:
    """Count the bins in each window, and keep the largest count of each bin among the windows of a row.

    Args:
        bins: (N, H, W) int in [0, count).
        count: Of bins.

    Returns:
        (N, rows of windows, count) float64.
    """
    images, height, width = bins.shape
    down, across = height // STEP, width // STEP
    cells = bins[:, : down * STEP, : across * STEP].reshape(images, down, STEP, across, STEP)
    places = np.arange(images * down * across).reshape(images, down, 1, across, 1)
    counted = np.bincount((places * count + cells).ravel(), minlength=images * down * across * count)
    grid = counted.reshape(images, down, across, count)
    windows = grid[:, :-1, :-1] + grid[:, 1:, :-1] + grid[:, :-1, 1:] + grid[:, 1:, 1:]
    return windows.max(axis=2).astype(float)


def _logarithm(parts: list[np.ndarray]) -> np.ndarray:
    """Histograms of all rows in a row, log(1 + count), at length one."""
    joined = np.log1p(np.concatenate([part.reshape(len(part), -1) for part in parts], axis=1))
    return joined / np.linalg.norm(joined, axis=1, keepdims=True)
