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
from vireid.data.decode import decode, native_size, quiet_pillow
from vireid.data.sixteen_bit import FULL_RANGE

GRADIENT = np.linspace(0, 255, 48 * 24).reshape(48, 24).astype(np.uint8)


def saved(image, path, **options):
    image.save(path, **options)
    return decode(path, 48, 24, FULL_RANGE)


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
    found = decode(path, 48, 24, FULL_RANGE)
    assert found.image is None
    assert f"({len(content)} bytes)" in found.problem
    assert found.digest == hashlib.sha256(content).digest()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP"])
def test_file_cut_anywhere_is_a_problem(tmp_path, kind):
    content = encoded(grey().convert("RGB"), kind)
    path = tmp_path / "a.jpg"
    for length in range(0, int(0.9 * len(content)), max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        with quiet_pillow():
            found = decode(path, 48, 24, FULL_RANGE)
        assert found.image is None, f"{kind} cut at {length} of {len(content)} bytes was taken"
        assert found.problem


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "JPEG with EXIF"])
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
            found = decode(path, 48, 24, FULL_RANGE)
            assert (found.image is None) != (found.problem is None)
    assert loud == []


def test_photograph_is_decoded_at_a_fraction_and_looks_the_same(tmp_path, monkeypatch):
    smooth = np.asarray(grey().resize((1200, 2400), Image.Resampling.BICUBIC))
    path = tmp_path / "a.jpg"
    Image.fromarray(smooth).save(path, quality=95)
    sizes, original = [], Image.Image.resize
    monkeypatch.setattr(Image.Image, "resize", lambda image, *to: sizes.append(image.size) or original(image, *to))
    drafted = decode(path, 48, 24, FULL_RANGE).image.astype(int)
    assert sizes[-1] == (300, 600)  # a quarter of 1200 x 2400
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile, "draft", lambda *arguments: None)
    assert np.abs(drafted - decode(path, 48, 24, FULL_RANGE).image).max() <= 2


def test_more_than_the_largest_number_of_pixels_is_refused_undecoded(tmp_path):
    path = tmp_path / "a.png"
    Image.new("1", (8001, 4000)).save(path)
    found = decode(path, 48, 24, FULL_RANGE)
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
    found = decode(path, 48, 24, FULL_RANGE)
    assert found.image is None
    assert "128,000,001 bytes" in found.problem


def test_large_images_are_decoded_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_LARGE", 48 * 24 - 1)
    saved(grey(), tmp_path / "a.png")
    with ThreadPoolExecutor(1) as pool:
        with module._one_large:
            waiting = pool.submit(decode, tmp_path / "a.png", 48, 24, FULL_RANGE)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.1)
        assert waiting.result(timeout=10).problem is None


def test_decompression_bomb_is_a_problem(tmp_path):
    path = tmp_path / "a.png"
    header = encoded(Image.new("1", (1, 1)), "PNG")
    # 30000 x 30000 in the header of a tiny PNG, with a valid checksum.
    chunk = b"IHDR" + struct.pack(">II", 30000, 30000) + header[24:29]
    path.write_bytes(header[:12] + chunk + struct.pack(">I", zlib.crc32(chunk)) + header[33:])
    found = decode(path, 48, 24, FULL_RANGE)
    assert found.image is None
    assert found.problem


def test_link_to_nothing_is_a_problem(tmp_path):
    (tmp_path / "a.jpg").symlink_to(tmp_path / "gone.jpg")
    found = decode(tmp_path / "a.jpg", 48, 24, FULL_RANGE)
    assert found.image is None
    assert found.problem


def test_folder_named_like_an_image_is_a_problem(tmp_path):
    (tmp_path / "0001.jpg").mkdir()
    assert decode(tmp_path / "0001.jpg", 48, 24, FULL_RANGE).problem


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"compression": "tiff_deflate"}])
def test_tiff_is_read(tmp_path, options):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 24, 3), np.uint8)
    assert np.array_equal(saved(Image.fromarray(pixels), tmp_path / "a.tif", **options).image, pixels)


def test_webp_is_read(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 24, 3), np.uint8)
    assert np.array_equal(saved(Image.fromarray(pixels), tmp_path / "a.webp", lossless=True).image, pixels)


@pytest.mark.parametrize(("kind", "name"), [("TIFF", "a.tif"), ("WEBP", "a.webp"), ("PNG", "a.png")])
def test_first_of_several_pages_or_frames_is_read(tmp_path, kind, name):
    rng = np.random.default_rng(0)
    first, second = (Image.fromarray(rng.integers(0, 256, (48, 24, 3), np.uint8)) for _ in range(2))
    options = {"lossless": True} if kind == "WEBP" else {}
    found = saved(first, tmp_path / name, format=kind, save_all=True, append_images=[second], **options)
    assert np.array_equal(found.image, np.asarray(first))


def test_other_formats_are_named_as_those_that_are_read(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(grey(), "GIF"))
    assert "not a JPEG, PNG, BMP, TIFF or WebP image" in decode(tmp_path / "a.png", 48, 24, FULL_RANGE).problem


def half_transparent(mode):
    """White on the left, and on the right a colour that nobody should see."""
    pixels = np.full((48, 24, 4), 255, np.uint8)
    pixels[:, 12:] = (200, 30, 60, 0)
    if mode in ("RGBA", "LA"):
        return Image.fromarray(pixels).convert(mode), {}
    key = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    if mode == "RGB":
        return key, {"transparency": (200, 30, 60)}
    if mode == "L":
        image = Image.fromarray(np.where(np.arange(24) < 12, 255, 77).astype(np.uint8)[None].repeat(48, 0))
        return image, {"transparency": 77}
    image = key.convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
    return image, {"transparency": image.getpixel((20, 20))}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P"])
def test_colour_under_full_transparency_is_black(tmp_path, mode):
    image, options = half_transparent(mode)
    found = saved(image, tmp_path / "a.png", **options)
    assert found.problem is None
    assert set(np.unique(found.image[:, :10])) == {255}
    assert set(np.unique(found.image[:, 14:])) == {0}


def test_half_transparent_white_is_grey_and_opaque_colours_stay(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 24, 4), np.uint8)
    pixels[..., 3] = 255
    pixels[0] = (255, 255, 255, 128)
    found = saved(Image.fromarray(pixels), tmp_path / "a.webp", lossless=True).image
    assert set(np.unique(found[0])) == {128}
    assert np.array_equal(found[1:], pixels[1:, :, :3])


def wide(kind, size=(8000, 6000)):
    """A file of 48 megapixels and few bytes."""
    return encoded(Image.new("L", size, 128), kind)


def test_photograph_of_48_megapixels_is_read_at_a_fraction_and_a_png_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(wide("JPEG"))
    (tmp_path / "a.png").write_bytes(wide("PNG"))
    found = decode(tmp_path / "a.jpg", 48, 24, FULL_RANGE)
    assert found.problem is None
    assert set(np.unique(found.image)) == {128}
    assert (found.look.height, found.look.width) == (6000, 8000)
    refused = decode(tmp_path / "a.png", 48, 24, FULL_RANGE).problem
    assert "8000 x 6000 pixels" in refused
    assert "32,000,000" in refused


def test_photograph_that_would_be_large_even_at_a_fraction_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(wide("JPEG", (800, 600)))
    monkeypatch.setattr(module, "MAX_PIXELS", 100 * 75 - 1)
    assert "800 x 600 pixels" in decode(tmp_path / "a.jpg", 15, 15, FULL_RANGE).problem
    monkeypatch.setattr(module, "MAX_PIXELS", 100 * 75)
    assert decode(tmp_path / "a.jpg", 15, 15, FULL_RANGE).problem is None
    monkeypatch.setattr(module, "MAX_JPEG_PIXELS", 800 * 600 - 1)
    assert "479,999" in decode(tmp_path / "a.jpg", 15, 15, FULL_RANGE).problem


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_size_in_the_file_is_upright_whether_decoded_or_not(tmp_path, kind):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a"
    Image.fromarray(GRADIENT).convert("RGB").save(path, kind, exif=exif)
    look = decode(path, 8, 8, FULL_RANGE).look
    assert (look.height, look.width) == native_size(path) == (24, 48)


@pytest.mark.parametrize("content", [b"", b"text", None])
def test_size_of_what_is_no_image_is_an_error_with_a_reason(tmp_path, content):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="not a JPEG" if content is not None else "No such file"):
        native_size(path)
