"""One image file to one array of the packed size, safely."""

import hashlib
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MAX_PIXELS = 32_000_000
MAX_BYTES = 4 * MAX_PIXELS
_LARGE = 8_000_000  # pixels
_one_large = threading.Lock()  # a large image takes hundreds of MB while it is decoded: one at a time does
_FORMATS = ("JPEG", "PNG", "BMP")
_DRAFT = 4  # times the longer side that is asked for


@dataclass(frozen=True)
class Decoded:
    """A decoded image, or the reason why there is none.

    Attributes:
        image: (H, W, 3) uint8 RGB, or None.
        digest: SHA-256 of the file's bytes, of none where they cannot be read.
        problem: Why the file could not be decoded, or None.
    """

    image: np.ndarray | None
    digest: bytes
    problem: str | None = None


def decode(path: Path, height: int, width: int) -> Decoded:
    """Read an image file as RGB, upright, resized with antialiasing to `height` x `width` pixels.

    Every mode that Pillow knows (grey, palette, CMYK, alpha, 16 bits) becomes RGB. A file of more than 32 million
    pixels is refused before it is decoded, one of more than 128 MB before it is read.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Decoded(None, hashlib.sha256().digest(), f"{size:,} bytes, more than {MAX_BYTES:,} allowed")
        content = path.read_bytes()
    except OSError as error:  # a folder, a link to nothing, no permission
        return Decoded(None, hashlib.sha256().digest(), f"unreadable: {error.strerror}")
    digest = hashlib.sha256(content).digest()
    try:
        return Decoded(_decode(content, height, width), digest)
    except UnidentifiedImageError:
        return Decoded(None, digest, f"not a JPEG, PNG or BMP image ({len(content)} bytes)")
    except Exception as error:  # Pillow's parsers raise whatever a broken file provokes
        return Decoded(None, digest, f"{error or type(error).__name__} ({len(content)} bytes)")


def _decode(content: bytes, height: int, width: int) -> np.ndarray:
    image = Image.open(BytesIO(content), formats=_FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,} allowed")
    # A photograph's JPEG is decoded at a half, a quarter or an eighth, while that leaves plenty to resize from.
    image.draft("RGB", (_DRAFT * max(height, width),) * 2)
    with _one_large if image.width * image.height > _LARGE else nullcontext():
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I"):  # 16 bits, which `convert` would clip to white
            image = Image.fromarray(_eight_bits(np.asarray(image)))
        if image.mode != "RGB":
            image = image.convert("RGB")
        resized = image.resize((width, height), Image.Resampling.LANCZOS)
        image.close()  # before the next large one is let in
    return np.asarray(resized)


def _eight_bits(pixels: np.ndarray) -> np.ndarray:
    """Turn (H, W) values up to 65535 into uint8, row by row: all at once as floating-point numbers take GBs."""
    out = np.empty(pixels.shape, np.uint8)
    for row, values in zip(out, pixels, strict=True):
        row[:] = (values / 257).round().clip(0, 255)
    return out


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings: about damaged metadata, and about sizes that `decode` refuses anyway.

    For the whole process, so it stands around a batch of files: filters changed by several threads would not be
    put back.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
