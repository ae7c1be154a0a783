"""What the pictures of a data set are like: their sizes, and those in which little can be seen."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from vireid.data.looks import Flaw, Look
from vireid.data.records import ImageRecord, Modality

PERCENTILES = (5, 50, 95)
SMALLEST = (40, 20)
"""Height and width in pixels below which little is left of a person."""
STRETCHED = 2
"""An image whose sides are so many times further apart than the packed ones, or nearer, is badly distorted."""
_ADVICE = {
    Flaw.BLACK: "look at them, and leave them out or brighten them",
    Flaw.FLAT: "nothing can be seen in them: leave them out",
    Flaw.FEW_LEVELS: "a sensor's counts that fill a small part of the range: save them as 16-bit grey PNG or "
    "TIFF, and set dataset.sixteen_bit.scaling to percentiles or window",
}

Seen = tuple[ImageRecord, Look]


def picture_findings(records: Sequence[ImageRecord], looks: Sequence[Look], shape: float) -> list[str]:
    """Find pictures that are tiny, badly stretched, nearly black, flat, or of few grey levels.

    Args:
        records: Images.
        looks: How each looks, in the same order; flaws are found only where it was decoded.
        shape: Height over width of a packed image.

    Returns:
        One sentence for each modality and kind, with its count, the first name, and what to do.
    """
    sentences = []
    for modality in Modality:
        seen = [pair for pair in zip(records, looks, strict=True) if pair[0].modality is modality]
        what = f"{modality.group} images"
        sentences += _sentence(
            f"{what} below {SMALLEST[0]} x {SMALLEST[1]} pixels (height x width)",
            seen,
            lambda look: look.height < SMALLEST[0] or look.width < SMALLEST[1],
            "too small to tell people apart: leave them out",
        )
        sentences += _sentence(
            f"{what} of a shape far from the packed one, which is {shape:.2g} times as high as wide",
            seen,
            lambda look: not shape / STRETCHED <= look.height / look.width <= shape * STRETCHED,
            "they are stretched: cut them to one person, or change ingest.height and ingest.width",
        )
        for flaw, advice in _ADVICE.items():
            sentences += _sentence(f"{what} {flaw}", seen, partial(_has, flaw), advice)
    return sentences


def _has(flaw: Flaw, look: Look) -> bool:
    return look.flaw is flaw


def _sentence(what: str, seen: Sequence[Seen], suspicious: Callable[[Look], bool], advice: str) -> list[str]:
    chosen = [(record.name, look) for record, look in seen if suspicious(look)]
    if not chosen:
        return []
    name, look = chosen[0]
    return [
        f"{what}: {len(chosen):,} of {len(seen):,}; the first is {name}, {look.height} x {look.width} ({advice})"
    ]


def size_percentiles(
    records: Sequence[ImageRecord], looks: Sequence[Look]
) -> dict[str, dict[str, dict[str, int]]]:
    """Say how large the images are: modality -> `height` and `width` -> percentile -> pixels.

    Args:
        records: Images.
        looks: How each looks, in the same order.
    """
    sizes = {}
    for modality in Modality:
        sides = [
            (look.height, look.width) for r, look in zip(records, looks, strict=True) if r.modality is modality
        ]
        if sides:
            pixels = np.percentile(np.array(sides), PERCENTILES, axis=0, method="nearest").astype(int).T.tolist()
            sizes[modality.group] = {
                side: dict(zip(map(str, PERCENTILES), values, strict=True))
                for side, values in zip(("height", "width"), pixels, strict=True)
            }
    return sizes
