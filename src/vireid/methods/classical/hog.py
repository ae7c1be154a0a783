"""HOG: histograms of gradients on a fixed grid (Dalal and Triggs, CVPR 2005), as scikit-image has them."""

import numpy as np
from skimage.feature import hog

HEIGHT, WIDTH = 128, 48  # pixels, to which images are resized before
DIM = 15 * 5 * 4 * 9  # blocks x cells of a block x orientations


def hog_features(images: np.ndarray) -> np.ndarray:
    """Describe images by nine orientations in cells of 8x8 pixels, blocks of 2x2 cells normalised.

    Of each pixel the channel with the largest gradient counts.

    Args:
        images: (N, 128, 48, 3) uint8 RGB.

    Returns:
        (N, 2700) float32.
    """
    described = [
        hog(image, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), channel_axis=-1)
        for image in images
    ]
    return np.stack(described).astype(np.float32)
