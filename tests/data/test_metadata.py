"""Metadata of any content never makes a sound picture unreadable, nor a broken one readable. CPU, seconds."""

import random
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from vireid.data.decode import decode, native_size, quiet_pillow
from vireid.data.metadata import without_metadata
from vireid.data.sixteen_bit import FULL_RANGE

FINE = {"quality": 95, "subsampling": 0}
COARSE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 3, 3), np.uint8))
PIXELS = np.asarray(COARSE.resize((24, 48), Image.Resampling.BICUBIC))
# Orientation 6 and a horizontal resolution of -1/0, which Pillow reads but cannot write.
EXIF = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 2) + struct.pack("<HHII", 0x0112, 3, 1, 6)
EXIF += struct.pack("<HHII", 0x011A, 5, 1, 38) + struct.pack("<I", 0) + struct.pack("<ii", -1, 0)
HUGE = zlib.compress(bytes(3 << 20))


def encoded(kind, **options):
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks, last=()):
    content = encoded("PNG")
    return content[:33] + b"".join(chunks) + content[33:-12] + b"".join(last) + content[-12:]


def jpeg(*segments):
    content = encoded("JPEG", **FINE)
    written = [struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments]
    return content[:2] + b"".join(written) + content[2:]


def tiff(kind=None, **tags):
    info = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, (value, number) in tags.items():
        info[int(tag[1:])] = value
        info.tagtype[int(tag[1:])] = number
    return encoded("TIFF", tiffinfo=info, compression=kind)


ICC = b"ICC_PROFILE\0"
SOUND = {
    "JPEG, truncated EXIF": jpeg((0xE1, EXIF[:24])),
    "JPEG, EXIF that is none": jpeg((0xE1, b"Exif\0\0none")),
    "JPEG, orientation 0": encoded("JPEG", **FINE, exif=EXIF[6:].replace(struct.pack("<I", 6), bytes(4))),
    "JPEG, orientation 99": encoded("JPEG", **FINE, exif=EXIF[6:].replace(struct.pack("<I", 6), b"c\0\0\0")),
    "JPEG, colour profile cut short": jpeg((0xE2, ICC)),
    "JPEG, colour profile that is none": jpeg((0xE2, ICC + b"\1\1none")),
    "JPEG, XMP that is none": jpeg((0xE1, b"http://ns.adobe.com/xap/1.0/\0<\xff")),
    "JPEG, directory of several pictures": jpeg((0xE2, b"MPF\0II*\0\x08\0\0\0\0\0")),
    "JPEG, Photoshop block cut short": jpeg((0xED, b"Photoshop 3.0\x008BIM\3\xed")),
    "JPEG, JFIF and Adobe cut short": jpeg((0xE0, b"JFIF"), (0xEE, b"Adobe")),
    "PNG, eXIf that is no TIFF": png(chunk(b"eXIf", b"none")),
    "PNG, colour profile too large": png(chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(70 << 20)))),
    "PNG, empty colour profile": png(chunk(b"iCCP", b"")),
    "PNG, huge XMP": png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + HUGE)),
    "PNG, huge text at the end": png(last=[chunk(b"zTXt", b"a\0\0" + HUGE)]),
    "PNG, text with a wrong checksum": png(chunk(b"tEXt", b"a\0b")[:-1] + b"?"),
    "PNG, resolution cut short": png(chunk(b"pHYs", b"a")),
    "TIFF, resolution of letters": tiff(_282=("abc", 2)),
    "TIFF, unknown tags": tiff(_65000=("odd", 2), _700=(b"<x", 1), _34675=(b"none", 7)),
    "TIFF, EXIF that lies nowhere": tiff(_34665=(999_999, 4)),
    "compressed TIFF, EXIF that lies nowhere": tiff("tiff_lzw", _34665=(999_999, 4)),
    "WebP, all of it broken": encoded("WEBP", lossless=True, exif=b"none", xmp=b"<", icc_profile=b"none"),
}


def decoded(path, content):
    path.write_bytes(content)
    with quiet_pillow():
        return decode(path, 48, 24, FULL_RANGE)


@pytest.mark.parametrize("kind", SOUND)
def test_sound_pixels_are_read_whatever_describes_them(tmp_path, kind):
    result = decoded(tmp_path / "a", SOUND[kind])
    assert result.problem is None
    if kind.startswith("JPEG"):
        assert np.abs(result.image.astype(int) - PIXELS).mean() < 5
    else:
        assert np.array_equal(result.image, PIXELS)
    with quiet_pillow():
        assert native_size(tmp_path / "a") == (48, 24)


TURNED = {
    "JPEG": jpeg((0xE1, EXIF)),
    "JPEG, and a broken colour profile": jpeg((0xE1, EXIF), (0xE2, ICC)),
    "PNG": png(chunk(b"eXIf", EXIF[6:])),
    "PNG, and a broken colour profile": png(chunk(b"eXIf", EXIF[6:]), chunk(b"iCCP", b"")),
    "TIFF, and EXIF that lies nowhere": tiff(_274=(6, 3), _34665=(999_999, 4)),
    "TIFF, and a resolution of letters": tiff(_274=(6, 3), _282=("abc", 2)),
    "WebP": encoded("WEBP", lossless=True, exif=EXIF),
}


@pytest.mark.parametrize("kind", TURNED)
def test_orientation_is_applied_though_something_beside_it_is_broken(tmp_path, kind):
    result = decoded(tmp_path / "a", TURNED[kind])
    assert result.problem is None
    expected = np.asarray(Image.fromarray(np.rot90(PIXELS, -1)).resize((24, 48), Image.Resampling.LANCZOS))
    assert np.abs(result.image.astype(int) - expected).mean() < 5
    assert (result.look.height, result.look.width) == (24, 48)
    with quiet_pillow():
        assert native_size(tmp_path / "a") == (24, 48)


@pytest.mark.parametrize("kind", ["JPEG, colour profile cut short", "PNG, empty colour profile"])
def test_file_whose_body_is_cut_stays_unreadable_where_its_metadata_is_broken_too(tmp_path, kind):
    for share in (0.5, 0.8, 0.9):
        result = decoded(tmp_path / "a", SOUND[kind][: int(share * len(SOUND[kind]))])
        assert result.image is None
        assert "truncated" in result.problem


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_bytes_of_metadata_do_not_matter(tmp_path, kind):
    generator = random.Random(0)
    for _ in range(100):
        body = bytearray(EXIF)
        for _ in range(generator.randint(1, 6)):
            body[generator.randrange(6, len(body))] = generator.randrange(256)
        profile = generator.randbytes(generator.randrange(20))
        if kind == "JPEG":
            content = jpeg((0xE1, bytes(body)), (0xE2, ICC + profile), (0xED, b"Photoshop 3.0\0" + profile))
        else:
            content = png(chunk(b"eXIf", bytes(body[6:])), chunk(b"iCCP", profile), chunk(b"tEXt", profile))
        assert decoded(tmp_path / "a", content).problem is None


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP"])
def test_file_without_metadata_has_the_same_pixels(kind):
    content = encoded(kind)
    bare, exif = without_metadata(content)
    assert exif == b""
    assert np.array_equal(np.asarray(Image.open(BytesIO(bare))), np.asarray(Image.open(BytesIO(content))))


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0", b"II*\0", b"MM\0*\xff\xff\xff\xff", b"?"]
)
def test_what_does_not_follow_its_format_is_left_as_it_is(content):
    assert without_metadata(content) == (content, b"")
