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
from PIL import ExifTags, Image, UnidentifiedImageError

from vireid.data.formats import NAMED, PILLOW_FORMATS
from vireid.data.looks import Look, find_flaw
from vireid.data.metadata import without_metadata
from vireid.data.sixteen_bit import Scaling, to_eight_bits

MAX_PIXELS = 32_000_000
MAX_JPEG_PIXELS = (
    4 * MAX_PIXELS
)  # of one that is decoded at a fraction; a progressive one is held whole, at 2 to 6 bytes
MAX_BYTES = 4 * MAX_PIXELS
_LARGE = 8_000_000  # pixels
_one_large = threading.Lock()  # a large image takes hundreds of MB while it is decoded: one at a time does
_DRAFT = 4  # times the longer side that is asked for
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes an image upright, by EXIF's orientation."""
_LYING = (5, 6, 7, 8)  # orientations that exchange height and width


@dataclass(frozen=True)
class Decoded:
    """A decoded image, or the reason why there is none.

    Attributes:
        image: (H, W, 3) uint8 RGB, or None.
        digest: SHA-256 of the file's bytes, of none where they cannot be read.
        problem: Why the file could not be decoded, or None.
        look: Its size in the file and what is wrong with it, or None where it could not be decoded.
    """

    image: np.ndarray | None
    digest: bytes
    problem: str | None = None
    look: Look | None = None


def decode(path: Path, height: int, width: int, scaling: Scaling) -> Decoded:
    """Read an image file as RGB, upright, resized with antialiasing to `height` x `width` pixels.

    Every mode that Pillow knows (grey, palette, CMYK, alpha, 16 bits) becomes RGB. What is transparent is laid on
    black, so that colours under full transparency are not used. Grey images of 16 bits or floating-point numbers
    are brought to eight bits by `scaling`; of 16-bit colours Pillow keeps the upper eight bits. Of a file with
    several pages or frames the first is read. Of metadata the orientation is read where it can be; nothing else
    matters.

    A file of more than 128 MB is refused before it is read, and one of more than 32 million pixels before it is
    decoded. Of a JPEG those pixels count that are really decoded: a photograph's sides are reduced to a half, a
    quarter or an eighth while that leaves plenty to resize from, and 128 million pixels may be in the file.

    Args:
        path: The file.
        height: Of the result, pixels.
        width: Of the result, pixels.
        scaling: How the data set's grey images of more than eight bits are read.
    """
    try:
        content = _read(path)
    except (OSError, ValueError) as error:  # a folder, a link to nothing, no permission; too many bytes
        return Decoded(None, hashlib.sha256().digest(), _reason(error))
    digest = hashlib.sha256(content).digest()
    try:
        image, look = _decode_sound_pixels(content, height, width, scaling)
    except Exception as error:  # Pillow's parsers raise whatever a broken file provokes
        return Decoded(None, digest, f"{_reason(error)} ({len(content)} bytes)")
    return Decoded(image, digest, look=look)


def native_size(path: Path) -> tuple[int, int]:
    """Read an image file's height and width in pixels, upright, from its header: fast, and without a large array.

    Raises:
        ValueError: If the header cannot be read; the message says why.
    """
    try:
        try:
            with path.open("rb") as file:
                return _upright_size(Image.open(file, formats=PILLOW_FORMATS))
        except Exception:  # as in `decode`
            return _upright_size(_open(*without_metadata(_read(path))))
    except Exception as error:
        raise ValueError(_reason(error)) from error


def _read(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(f"{size:,} bytes, more than {MAX_BYTES:,} allowed")
    return path.read_bytes()


def _reason(error: Exception) -> str:
    """Say why a file cannot be decoded."""
    if isinstance(error, UnidentifiedImageError):
        return f"not a {NAMED} image"
    if isinstance(error, OSError) and error.strerror:
        return f"unreadable: {error.strerror}"
    return str(error) or type(error).__name__


def _decode_sound_pixels(content: bytes, height: int, width: int, scaling: Scaling) -> tuple[np.ndarray, Look]:
    """Decode a file, and once more without its metadata where that fails: the pixels may be sound."""
    try:
        return _decode(_open(content), height, width, scaling)
    except Exception:
        bare, exif = without_metadata(content)
        if bare == content:
            raise
        return _decode(_open(bare, exif), height, width, scaling)


def _open(content: bytes, exif: bytes = b"") -> Image.Image:
    """Open a file's bytes; a block of Exif data may come from elsewhere."""
    image = Image.open(BytesIO(content), formats=PILLOW_FORMATS)
    if exif:
        image.info["exif"] = exif
    return image


def _decode(image: Image.Image, height: int, width: int, scaling: Scaling) -> tuple[np.ndarray, Look]:
    (native_width, native_height), pixels = image.size, image.width * image.height
    # A photograph's JPEG is decoded at a half, a quarter or an eighth, while that leaves plenty to resize from.
    image.draft("RGB", (_DRAFT * max(height, width),) * 2)
    drafted = image.width * image.height
    counted, limit = (drafted, MAX_PIXELS) if drafted > MAX_PIXELS else (pixels, MAX_JPEG_PIXELS)
    if counted > limit:
        size = f"{native_width} x {native_height}"
        raise ValueError(f"{size} pixels, more than the {limit:,} that memory is set aside for; reduce it")
    with _one_large if drafted > _LARGE or pixels > MAX_PIXELS else nullcontext():
        image.load()
        orientation = _orientation(image)
        if orientation in _LYING:
            native_height, native_width = native_width, native_height
        if orientation in _TURNS:
            image = image.transpose(_TURNS[orientation])
        image = _to_rgb(image, scaling)
        flaw = find_flaw(image)
        resized = image.resize((width, height), Image.Resampling.LANCZOS)
        image.close()  # before the next large one is let in
    return np.asarray(resized), Look(native_height, native_width, flaw)


def _orientation(image: Image.Image) -> int:
    """Read EXIF's orientation; 1, which is upright, where none can be read or the number means nothing."""
    try:
        # Not image.getexif(), which decodes a PNG.
        orientation = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in _TURNS else 1
    except Exception:  # metadata of any content
        return 1


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Say the height and width of an image that is opened but not decoded; those of a TIFF are upright already."""
    lying = image.format != "TIFF" and _orientation(image) in _LYING
    return (image.width, image.height) if lying else (image.height, image.width)


def _to_rgb(image: Image.Image, scaling: Scaling) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":  # which `convert` would clip to white
        image = Image.fromarray(to_eight_bits(np.asarray(image), scaling, image.info.get("transparency")))
    elif image.has_transparency_data:
        layered = image.convert("RGBA")
        image = Image.new("RGB", image.size)  # black
        image.paste(layered, mask=layered)
    return image if image.mode == "RGB" else image.convert("RGB")


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silence Pillow's warnings: about damaged metadata, and about sizes that `decode` refuses anyway.

    For the whole process, so it stands around a batch of files: filters changed by several threads would not be
    put back.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield
