"""Image files without what only describes them, for when a parser stumbles over that.

Pillow reads colour profiles, texts, thumbnails and the like while it opens a file, and what it cannot read there
makes a sound picture unreadable. None of it is needed here but the orientation.
"""

import struct
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_EXIF = b"Exif\0\0"
_JPEG_START, _JPEG_PREFIX, _JPEG_SCAN, _JPEG_COMMENT = b"\xff\xd8", 0xFF, 0xDA, 0xFE
_JPEG_APPLICATIONS = range(0xE0, 0xF0)
_JPEG_COLOURS = {0xE0: 16, 0xEE: 14}  # JFIF and Adobe: which colours the components are; with the least length
# What the pixels need of a TIFF's tags: sizes, strips, tiles, compression, colours, and the orientation.
_TIFF_KEPT = {
    *range(254, 260),
    262,
    266,
    *range(273, 280),
    284,
    290,
    291,
    292,
    293,
    317,
    320,
    *range(322, 326),
    338,
}
_TIFF_KEPT |= {339, 347, *range(512, 522), 529, 530, 531, 532}


def without_metadata(content: bytes) -> tuple[bytes, bytes]:
    """Take out of an image file what its pixels do not need.

    Args:
        content: A whole file.

    Returns:
        The file without it, and the block of Exif data that was in it, or nothing. A file of another format, and
        one whose parts do not follow each other as the format has it, is returned as it is.
    """
    try:
        if content.startswith(_PNG):
            return _bare_png(content)
        if content.startswith(_JPEG_START):
            return _bare_jpeg(content)
        if content[:4] in (b"II*\0", b"MM\0*"):
            return _bare_tiff(content), b""
    except (struct.error, ValueError):  # the body is cut short or garbled
        return content, b""
    return content, b""


def _bare_png(content: bytes) -> tuple[bytes, bytes]:
    kept, exif, position = [_PNG], b"", len(_PNG)
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        end = position + length + 12
        if kind in _PNG_KEPT:
            kept.append(content[position:end])
        elif kind == b"eXIf":
            exif = _EXIF + content[position + 8 : end - 4]
        position = end
    return b"".join(kept), exif


def _bare_jpeg(content: bytes) -> tuple[bytes, bytes]:
    kept, exif = [_JPEG_START], b""
    for marker, start, end in _jpeg_segments(content):
        segment = content[start:end]
        described = marker in (_JPEG_COMMENT, *_JPEG_APPLICATIONS)
        if not described or len(segment) >= _JPEG_COLOURS.get(marker, len(content)):
            kept.append(segment)
        elif segment[4:].startswith(_EXIF):
            exif = exif or segment[4:]
    return b"".join(kept), exif


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment; the last one is the first scan and all behind it."""
    position = len(_JPEG_START)
    while True:
        prefix, marker, length = struct.unpack_from(">BBH", content, position)
        if prefix != _JPEG_PREFIX:
            raise ValueError("no segment where one should begin")
        if marker == _JPEG_SCAN:
            yield marker, position, len(content)
            return
        yield marker, position, position + 2 + length
        position += 2 + length


def _bare_tiff(content: bytes) -> bytes:
    """Leave in the first directory only the tags that the pixels need; everything stays where it is."""
    order = "<" if content.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, start)
    entries = [content[start + 2 + 12 * i : start + 14 + 12 * i] for i in range(count)]
    kept = [entry for entry in entries if struct.unpack_from(f"{order}H", entry)[0] in _TIFF_KEPT]
    directory = struct.pack(f"{order}H", len(kept)) + b"".join(kept) + bytes(4)  # and no further directory
    return content[:start] + directory + content[start + len(directory) :]
