"""Grey images of more than eight bits: their scaling, in every container, and what is recorded. CPU, seconds."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from vireid.data.decode import decode
from vireid.data.looks import Flaw
from vireid.data.sixteen_bit import FULL_RANGE, Scaling, to_eight_bits
from vireid.params import SixteenBit
from vireid.support.errors import UserError

PERCENTILES = Scaling("percentiles", 0.5, 99.5)
WINDOW = Scaling("window", 7000.0, 8500.0)
COUNTS = np.linspace(7200, 8100, 48 * 24).reshape(48, 24).astype(np.uint16)  # of a thermal sensor


def thermal(tmp_path, kind, counts=COUNTS):
    """A file of a thermal sensor's counts."""
    path = tmp_path / f"{kind}.{'png' if 'PNG' in kind else 'tif'}"
    dtype = {"big-endian TIFF": ">u2", "32-bit TIFF": np.int32, "float TIFF": np.float32}.get(kind, np.uint16)
    image = Image.fromarray(counts.astype(dtype))
    image.save(path, **({"compression": "tiff_lzw"} if "LZW" in kind else {}))
    return path


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "LZW TIFF", "big-endian TIFF", "32-bit TIFF", "float TIFF"])
def test_every_container_of_the_same_counts_gives_the_same_picture(tmp_path, kind):
    path = thermal(tmp_path, kind)
    for scaling, low, high in ((PERCENTILES, COUNTS.flat[6], COUNTS.flat[-7]), (WINDOW, 7000, 8500)):
        result = decode(path, 48, 24, scaling)
        expected = ((COUNTS.astype(float) - low) * 255 / (float(high) - low)).round().clip(0, 255)
        assert np.array_equal(result.image, np.repeat(expected[..., None], 3, axis=2))
        assert result.look.flaw is None


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "32-bit TIFF"])
def test_full_range_leaves_few_levels_of_a_sensor_and_the_look_says_so(tmp_path, kind):
    result = decode(thermal(tmp_path, kind), 48, 24, FULL_RANGE)
    assert np.array_equal(result.image[..., 0], (COUNTS / 257).round())
    assert len(np.unique(result.image)) == 5
    assert result.look.flaw is Flaw.FEW_LEVELS


def test_full_range_of_floating_point_numbers_is_refused_with_what_to_set(tmp_path):
    assert "dataset.sixteen_bit.scaling" in decode(thermal(tmp_path, "float TIFF"), 48, 24, FULL_RANGE).problem


def test_pixels_that_are_no_numbers_are_black_and_count_for_nothing(tmp_path):
    counts = COUNTS.astype(np.float32)
    counts[:10] = np.nan
    counts[10, 0], counts[10, 1] = np.inf, -np.inf
    image = decode(thermal(tmp_path, "float TIFF", counts), 48, 24, PERCENTILES).image[..., 0]
    assert set(np.unique(image[:10])) == {0}
    assert image[10, 0] == image[10, 1] == 0
    rest = to_eight_bits(COUNTS.reshape(1, -1)[:, 10 * 24 + 2 :], PERCENTILES)
    assert np.array_equal(image.reshape(1, -1)[:, 10 * 24 + 2 :], rest)


@pytest.mark.parametrize("value", [np.nan, 7500.0])
def test_image_of_one_value_or_none_is_black_without_an_error(value):
    assert not to_eight_bits(np.full((4, 3), value, np.float32), PERCENTILES).any()


def test_transparent_value_of_a_png_counts_for_nothing(tmp_path):
    counts = COUNTS.copy()
    counts[:20] = 65535
    path = thermal(tmp_path, "PNG", counts)
    content, body = path.read_bytes(), b"tRNS" + struct.pack(">H", 65535)
    path.write_bytes(
        content[:33] + struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body)) + content[33:]
    )
    image = decode(path, 48, 24, PERCENTILES).image[..., 0]
    assert not image[:20].any()
    assert np.array_equal(image[20:], to_eight_bits(COUNTS[20:], PERCENTILES))


def test_percentiles_are_exact_whatever_the_order_of_the_pixels():
    counts = np.arange(1001, dtype=np.uint16)
    shuffled = np.random.default_rng(0).permutation(counts)
    scaled = to_eight_bits(shuffled[None], Scaling("percentiles", 10.0, 90.0))[0]
    assert scaled[shuffled <= 100].max() == 0
    assert scaled[shuffled == 104] == 1  # 800 counts are 255 levels
    assert scaled[shuffled >= 900].min() == 255
    assert scaled[shuffled == 896] == 254


def test_full_range_is_that_of_sixteen_bits():
    values = np.arange(65536, dtype=np.uint16)[None]
    assert np.array_equal(to_eight_bits(values, FULL_RANGE), (values / 257).round())


@pytest.mark.parametrize("scaling", [PERCENTILES, WINDOW, FULL_RANGE])
def test_pictures_of_eight_bits_stay_as_they_are(tmp_path, scaling):
    pixels = np.random.default_rng(0).integers(40, 90, (48, 24), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert np.array_equal(decode(tmp_path / "a.png", 48, 24, scaling).image[..., 0], pixels)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [("full", "full"), ("window", "window 7000.0 8500.5"), ("percentiles", "percentiles 0.5 99.5")],
)
def test_scaling_in_force_is_written_and_read(chosen, text):
    settings = SixteenBit(scaling=chosen, window=[7000, 8500.5], percentiles=[0.5, 99.5])
    scaling = Scaling.chosen(settings)
    assert str(scaling) == text
    assert Scaling.parse(text, "images.h5") == scaling


@pytest.mark.parametrize("text", ["", "auto", "window", "window a b", "full 1 2", "percentiles 1 2 3"])
def test_unknown_scaling_is_refused_with_its_file(text):
    with pytest.raises(UserError, match=r"images\.h5: 16-bit images were read by an unknown scaling"):
        Scaling.parse(text, "images.h5")
