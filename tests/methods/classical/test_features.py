"""HOG and LOMO against loops and by hand. CPU, seconds."""

import numpy as np
import pytest

from tests.reference import lomo as slow
from vireid.methods.classical import hog, lomo

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 128, 48, 3), np.uint8)


@pytest.mark.parametrize(("describe", "dim"), [(hog.hog_features, hog.DIM), (lomo.lomo_features, lomo.DIM)])
def test_each_image_is_described_by_itself(describe, dim):
    together = describe(IMAGES)
    assert together.shape == (3, dim)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    np.testing.assert_allclose(describe(IMAGES[1:2])[0], together[1], atol=1e-6)


def test_lomo_has_the_width_that_its_paper_prints():
    assert lomo.DIM == 26960


@pytest.mark.parametrize("size", [(128, 48), (64, 24), (32, 12), (23, 17)])
def test_largest_counts_agree_with_the_slow_loops(size):
    bins = np.random.default_rng(1).integers(0, 7, (2, *size))
    counted = lomo.largest_counts(bins, 7)
    for image, rows in zip(bins, counted, strict=True):
        assert np.array_equal(rows, slow.largest_counts(image, 7))


@pytest.mark.parametrize("radius", lomo.RADII)
def test_texture_patterns_agree_with_the_slow_loops(radius):
    grey = np.random.default_rng(2).random((2, 12, 9))
    for image, patterns in zip(grey, lomo.texture_patterns(grey, radius), strict=True):
        assert np.array_equal(patterns, slow.texture_patterns(image, radius))


def test_texture_patterns_do_not_hang_on_the_brightness():
    grey = np.random.default_rng(3).random((1, 12, 9))
    assert np.array_equal(lomo.texture_patterns(grey, 3), lomo.texture_patterns(0.25 * grey, 3))


def test_colours_are_binned_by_hue_saturation_and_value():
    pixels = np.array([[[[0.0, 0.0, 0.0], [1.0, 1.0, 1.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]])
    # Hue of blue is 2/3: level 5 of 8. Red is at 0. Saturation and value are at 0 or at the last level, 7.
    assert lomo.colour_bins(pixels)[0, 0].tolist() == [0, 7, (5 * 8 + 7) * 8 + 7, 7 * 8 + 7]


def test_grey_image_of_one_value_has_one_colour_and_one_texture():
    features = lomo.lomo_features(np.full((1, 128, 48, 3), 99, np.uint8))[0]
    colours, textures = np.split(features, [lomo.ROWS * 512])
    assert (np.count_nonzero(colours), np.count_nonzero(textures)) == (lomo.ROWS, 2 * lomo.ROWS)
    assert np.unique(colours[colours > 0]) == pytest.approx(1 / lomo.ROWS**0.5, rel=1e-5)
    assert np.linalg.norm(textures) == pytest.approx(1, rel=1e-5)
