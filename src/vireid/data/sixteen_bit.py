"""Grey pixels of more than eight bits, as thermal cameras write them, brought to eight by a stated scaling.

A sensor rarely fills its file: counts of 7200 to 8100 in 16 bits are four grey levels of 256 where the file's full
range is kept, and nearly all of them where the image's own percentiles are its black and white.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vireid.params import SixteenBit
from vireid.support.errors import UserError

Kind = Literal["full", "window", "percentiles"]
_KINDS: dict[str, Kind] = {"window": "window", "percentiles": "percentiles"}


@dataclass(frozen=True)
class Scaling:
    """Which pixel values become black and white; what lies between is spread evenly.

    Attributes:
        kind: `full`: 0 and 65535; `window`: two values for all images; `percentiles`: two of each image's own.
        low: Value or percentile that becomes black; what is lower does too.
        high: Value or percentile that becomes white; what is higher does too.
    """

    kind: Kind
    low: float
    high: float

    def __str__(self) -> str:
        """Write it as `images.h5` and `model.json` hold it: `full`, or as in `percentiles 0.5 99.5`."""
        return self.kind if self == FULL_RANGE else f"{self.kind} {self.low} {self.high}"

    @classmethod
    def parse(cls, text: str, where: object) -> "Scaling":
        """Read what `str` has written.

        Args:
            text: What it has written.
            where: The file, for the message.

        Raises:
            UserError: If the text is another one.
        """
        if text == str(FULL_RANGE):
            return FULL_RANGE
        try:
            kind, low, high = text.split()
            return cls(_KINDS[kind], float(low), float(high))
        except (KeyError, ValueError) as error:
            raise UserError(
                where,
                "16-bit images were read by an unknown scaling",
                expected="sixteen_bit: full, or as in window 7000 8100 or percentiles 0.5 99.5",
                found=text,
                remedy="correct it, or bring the right file back with `dvc checkout`",
            ) from error

    @classmethod
    def chosen(cls, settings: SixteenBit) -> "Scaling":
        """Take the scaling in force from the parameters `dataset.sixteen_bit`."""
        if settings.scaling == "full":
            return FULL_RANGE
        low, high = settings.window if settings.scaling == "window" else settings.percentiles
        return cls(settings.scaling, float(low), float(high))


FULL_RANGE = Scaling("full", 0.0, 65535.0)


def to_eight_bits(pixels: np.ndarray, scaling: Scaling, transparent: int | None = None) -> np.ndarray:
    """Scale grey pixels to eight bits.

    Args:
        pixels: (H, W) integers or floating-point numbers.
        scaling: What becomes black and white.
        transparent: A value that stands for no pixel at all.

    Returns:
        (H, W) uint8. Transparent pixels, and those that are NaN or infinite, are black, and no percentile counts
        them.

    Raises:
        ValueError: If the pixels are floating-point numbers, and their full range is asked for.
    """
    if scaling.kind == "full" and pixels.dtype.kind == "f":
        raise ValueError(
            "floating-point pixels, which have no full range: "
            "set dataset.sixteen_bit.scaling to percentiles or window"
        )
    known = np.isfinite(pixels)
    if transparent is not None:
        known &= pixels != transparent
    low, high = (
        _percentiles(pixels[known], scaling) if scaling.kind == "percentiles" else (scaling.low, scaling.high)
    )
    span = high - low if high > low else 1.0  # where all is of one value, and becomes black
    out = np.empty(pixels.shape, np.uint8)
    # Row by row: a large image takes GBs as float64.
    for row, values, known_ones in zip(out, pixels, known, strict=True):
        scaled = (np.where(known_ones, values, low).astype(np.float64) - low) * 255 / span
        row[:] = np.where(known_ones, scaled.round().clip(0, 255), 0)
    return out


def _percentiles(values: np.ndarray, scaling: Scaling) -> tuple[float, float]:
    """Find the values that stand at two percentiles of the sorted ones; sorts a little in place."""
    if not len(values):
        return 0.0, 0.0
    low, high = (round(percentile / 100 * (len(values) - 1)) for percentile in (scaling.low, scaling.high))
    values.partition((low, high))
    return float(values[low]), float(values[high])
