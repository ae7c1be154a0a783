"""Decoding one image file: modes, orientation, odd names, and files that are none. CPU, seconds."""

import hashlib
import random
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from vireid.data import decode as module
from vireid.data.decode import decode, quiet_pillow

GRADIENT = np.linspace(0, 255, 48 * 24).reshape(48, 24).astype(np.uint8)


def saved(image, path, **options):
    image.save(path, **options)
    return decode(path, 48, 24)


def grey(value=GRADIENT):
    return Image.fromarray(value)


def encoded(image, kind, **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_rgb_png_of_the_packed_size_keeps_every_pixel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 24, 3), np.uint8)
    found = saved(Image.fromarray(pixels), tmp_path / "a.png")
    assert found.problem is None
    assert found.image.dtype == np.uint8
    assert np.array_equal(found.image, pixels)


def test_digest_is_of_the_files_bytes(tmp_path):
    found = saved(grey(), tmp_path / "a.png")
    assert found.digest == hashlib.sha256((tmp_path / "a.png").read_bytes()).digest()


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16"])
def test_grey_content_of_any_mode_becomes_the_same_rgb(tmp_path, mode):
    image = grey()
    if mode == "I;16":
        image = Image.fromarray(GRADIENT.astype(np.uint16) * 257)
    elif mode != "L":
        image = image.convert(mode)
    found = saved(image, tmp_path / "a.png")
    assert found.problem is None
    assert found.image.shape == (48, 24, 3)
    assert np.ptp(found.image, axis=2).max() == 0
    assert np.abs(found.image[..., 0].astype(int) - GRADIENT).max() <= 1


def test_black_and_white_image_becomes_rgb(tmp_path):
    found = saved(grey().convert("1"), tmp_path / "a.png")
    assert set(np.unique(found.image)) == {0, 255}


def test_cmyk_jpeg_becomes_rgb(tmp_path):
    red = Image.new("RGB", (24, 48), (200, 10, 10)).convert("CMYK")
    found = saved(red, tmp_path / "a.jpg", quality=100)
    assert np.abs(found.image.astype(int) - (200, 10, 10)).max() < 12


def test_palette_colours_are_kept(tmp_path):
    pixels = np.zeros((48, 24, 3), np.uint8)
    pixels[:24], pixels[24:] = (255, 0, 0), (0, 0, 255)
    found = saved(
        Image.fromarray(pixels).convert("P", palette=Image.Palette.ADAPTIVE, colors=2), tmp_path / "a.png"
    )
    assert np.array_equal(found.image, pixels)


def test_exif_orientation_is_applied(tmp_path):
    pixels = np.zeros((24, 48, 3), np.uint8)
    pixels[:, :24] = 255  # left half white; orientation 6 turns the left side up
    exif = Image.Exif()
    exif[0x0112] = 6
    found = saved(Image.fromarray(pixels), tmp_path / "a.jpg", exif=exif, quality=100)
    assert found.image[:20].min() > 200
    assert found.image[28:].max() < 50


def test_enlarging_and_shrinking_keep_the_mean(tmp_path):
    for size in ((4, 2), (480, 240)):
        found = saved(grey().resize(size[::-1]), tmp_path / "a.png")
        assert found.image.shape == (48, 24, 3)
        assert found.image.mean() == pytest.approx(GRADIENT.mean(), abs=2)


def test_single_pixel_fills_the_image(tmp_path):
    found = saved(Image.new("RGB", (1, 1), (1, 2, 3)), tmp_path / "a.png")
    assert np.array_equal(found.image, np.full((48, 24, 3), (1, 2, 3)))


@pytest.mark.parametrize("name", ["with space.png", "лицо.png", "人.png", "a#%&'\".png", "é" * 60 + ".png"])
def test_any_file_name_is_read(tmp_path, name):
    assert saved(grey(), tmp_path / name).problem is None


@pytest.mark.parametrize("content", [b"", b"this is no image", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"])
def test_other_content_named_jpg_is_a_problem(tmp_path, content):
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    found = decode(path, 48, 24)
    assert found.image is None
    assert f"({len(content)} bytes)" in found.problem
    assert found.digest == hashlib.sha256(content).digest()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP"])
def test_file_cut_anywhere_is_a_problem(tmp_path, kind):
    content = encoded(grey().convert("RGB"), kind)
    path = tmp_path / "a.jpg"
    for length in range(0, int(0.9 * len(content)), max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        found = decode(path, 48, 24)
        assert found.image is None, f"{kind} cut at {length} of {len(content)} bytes was taken"
        assert found.problem


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "JPEG with EXIF"])
def test_corrupt_bytes_never_raise(tmp_path, kind):
    exif = Image.Exif()
    if "EXIF" in kind:
        exif[0x0112], exif[0x010F] = 6, "maker"
    content = encoded(grey().convert("RGB"), kind.split(maxsplit=1)[0], **({"exif": exif} if exif else {}))
    path, generator = tmp_path / "a.jpg", random.Random(0)
    with warnings.catch_warnings(record=True) as loud, quiet_pillow():
        for _ in range(150):
            broken = bytearray(content)
            for _ in range(generator.randint(1, 8)):
                broken[generator.randrange(min(200, len(broken)))] = generator.randrange(256)
            path.write_bytes(broken)
            found = decode(path, 48, 24)
            assert (found.image is None) != (found.problem is None)
    assert loud == []


def test_photograph_is_decoded_at_a_fraction_and_looks_the_same(tmp_path, monkeypatch):
    smooth = np.asarray(grey().resize((1200, 2400), Image.Resampling.BICUBIC))
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).save(path, quality=95)
    sizes, original = [], Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, *to: sizes.append(image.size) or original(image, *to))
    drafted = decode(path, 48, 24).image.astype(int)
    assert sizes == [(300, 600)]  # a quarter of 1200 x 2400
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "draft", lambda *arguments: None)
    assert np.abs(drafted - decode(path, 48, 24).image).max() <= 2


def test_more_than_the_largest_number_of_pixels_is_refused_undecoded(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (8001, 4000)).save(path)
    found = decode(path, 48, 24)
    assert found.image is None
    assert "8001 x 4000 pixels" in found.problem
    assert "32,000,000" in found.problem


def test_largest_number_of_pixels_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 48 * 24)
    assert saved(grey(), tmp_path / "a.png").problem is None
    assert saved(grey().resize((25, 48)), tmp_path / "a.png").problem is not None


def test_file_of_too_many_bytes_is_refused_unread(tmp_path):
    path = tmp_path / "a.jpg"
    with path.open("wb") as file:
        file.truncate(module.MAX_BYTES + 1)  # takes no room on the disk
    found = decode(path, 48, 24)
    assert found.image is None
    assert "128,000,001 bytes" in found.problem


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 48 * 24 - 1)
    saved(grey(), tmp_path / "a.png")
    with ThreadPoolExecutor(1) as pool:
        with module._one_large:
            waiting = pool.submit(decode, tmp_path / "a.png", 48, 24)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)
        assert waiting.result(timeout=10).problem is None


def test_decompression_bomb_is_a_problem(tmp_path):
    path = tmp_path / "a.png"
    header = encoded(Image.new("1", (1, 1)), "PNG")
    # 30000 x 30000 in the header of a tiny PNG, with a valid checksum.
    chunk = b"IHDR" + struct.pack(">II", 30000, 30000) + header[24:29]
    path.write_bytes(header[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + header[33:])
    found = decode(path, 48, 24)
    assert found.image is None
    assert found.problem


def test_link_to_nothing_is_a_problem(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    found = decode(tmp_path / "a.jpg", 48, 24)
    assert found.image is None
    assert found.problem


def test_folder_named_like_an_image_is_a_problem(tmp_path):
    (tmp_path / "0001.jpg").mkdir()
    assert decode(tmp_path / "0001.jpg", 48, 24).problem
