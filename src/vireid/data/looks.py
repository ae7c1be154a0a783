"""How a picture looks: how large it was, and whether there is anything to see in it."""

from dataclasses import dataclass
from enum import StrEnum

from PIL import Image

FEW_LEVELS = 16
"""With fewer grey levels than these a picture shows steps rather than shades."""
_DARK = 16  # levels of 256 that look black
_NEARLY_ALL = 0.99  # of the pixels
_SAMPLE = (24, 48)  # width and height of the grid of pixels that is looked at


class Flaw(StrEnum):
    """Why a picture that can be decoded shows little."""

    BLACK = "nearly black"
    FLAT = "of one grey all over"
    FEW_LEVELS = f"of fewer than {FEW_LEVELS} grey levels"


@dataclass(frozen=True)
class Look:
    """What is known of a picture beside its pixels.

    Attributes:
        height: Pixels of the file's image, upright.
        width: Likewise.
        flaw: What is wrong with it, or None; None also where it was not decoded.
    """

    height: int
    width: int
    flaw: Flaw | None = None


def find_flaw(image: Image.Image) -> Flaw | None:
    """Look at a grid of an RGB image's pixels, which takes some microseconds however large it is.

    The pixels are those of the file, not of the packed image: resizing mixes new levels out of few.
    """
    grey = image.resize(_SAMPLE, Image.Resampling.NEAREST).convert("L")
    counts = grey.histogram()
    enough = _NEARLY_ALL * grey.width * grey.height
    if sum(counts[:_DARK]) >= enough:
        return Flaw.BLACK
    if max(counts) >= enough:
        return Flaw.FLAT
    return Flaw.FEW_LEVELS if len(counts) - counts.count(0) < FEW_LEVELS else None
