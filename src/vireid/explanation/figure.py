"""Explanations as pictures: the maps of every layer over the visible and the infrared picture, side by side."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from PIL import Image

from vireid.data.records import Modality
from vireid.explanation.grad_cam import Explanation, enlarged
from vireid.reporting.figure_text import Place, fitted
from vireid.reporting.picture_sheet import Sheet, draw_picture, sheet_file
from vireid.reporting.style import FAINT, INK

_COLOURS = "inferno"  # grows lighter evenly, for readers of every colour vision
_VEIL = 0.2, 0.55  # opacity of the colours where the map is zero, and what its largest value adds
# Lengths in widths of one picture.
_PITCH = 1.08
_GAP = 0.3
_HEADER = 0.64
_LABEL = 0.86
_FOOTER = 0.4
_MARGIN = 0.3
_NARROWEST = 5.4  # has room for the note
_INCHES = 0.95
_DPI = 160
_SOURCE = 6.5  # points


def draw_explanations(
    path: Path, rows: Sequence[dict[Modality, Explanation]], layers: Mapping[str, str], note: str
) -> None:
    """Draw one row for each pair: the pictures, then their maps in each layer, visible beside infrared.

    Args:
        path: The figure (PNG).
        rows: At least one; all pictures are of one size.
        layers: Name of each layer, as the explanations have them, to what stands below it.
        note: What stands below the figure: what was explained.
    """
    columns = [modality for modality in Modality if any(modality in row for row in rows)]
    height, width, _ = next(iter(rows[0].values())).subject.image.shape
    aspect = height / width
    group = _PITCH * (len(columns) - 1) + 1
    across = max((group + _GAP) * (len(layers) + 1) - _GAP, _NARROWEST)
    down = _HEADER + (aspect + _LABEL) * len(rows) + _FOOTER
    with sheet_file(path, Sheet(across, down, _MARGIN, _INCHES, _DPI)) as (figure, axes):
        for place, (name, below) in enumerate([("picture", ""), *layers.items()]):
            left = place * (group + _GAP)
            size = 9 if len(name) < 10 else 7
            heading = fitted(name, Place(_INCHES * (group + _GAP), lines=1, size=size, dpi=_DPI, weight="bold"))
            _text(axes, left + group / 2, _HEADER - 0.36, heading, size=size, weight="bold")
            lines, size = (below, 7) if len(columns) > 1 else (below.replace(", ", "\n"), 6)
            _text(axes, left + group / 2, _HEADER - 0.15, lines, size=size, color=FAINT)
            for number, row in enumerate(rows):
                top = _HEADER + number * (aspect + _LABEL)
                for column, modality in enumerate(columns):
                    if modality in row:
                        _draw_tile(axes, left + column * _PITCH, top, row[modality], place - 1)
        for number, row in enumerate(rows):
            _label(axes, _HEADER + number * (aspect + _LABEL) + aspect, columns, row)
        axes.text(0, down - _FOOTER / 2, note, ha="left", va="center", fontsize=7, color=FAINT, linespacing=1.4)
        _draw_scale(figure, axes, across, down)


def overlay(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Lay a map over a picture in grey, so that only the map has colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        heat: (H, W) float, at least 0; scaled to its own largest value.

    Returns:
        (H, W, 3) uint8 RGB; the grey picture alone where the map is zero everywhere.
    """
    base = grey(image) / 255
    peak = heat.max()
    if peak <= 0:
        return grey(image)
    scaled = heat / peak
    opacity = (_VEIL[0] + _VEIL[1] * scaled)[..., None]
    mixed = (1 - opacity) * base + opacity * colormaps[_COLOURS](scaled)[..., :3]
    return (mixed * 255).round().astype(np.uint8)


def grey(image: np.ndarray) -> np.ndarray:
    """Turn (H, W, 3) uint8 RGB into its luminance, of the same shape."""
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


def _draw_tile(axes: Axes, left: float, top: float, item: Explanation, layer: int) -> None:
    """Draw the picture itself (`layer` -1) or one of its maps."""
    image = item.subject.image
    if layer >= 0:
        shown = overlay(image, enlarged(item.maps[layer], image.shape[:2]))
    else:
        shown = image if item.subject.modality is Modality.VISIBLE else grey(image)
    bottom = draw_picture(axes, left, top, shown)
    if layer >= 0 and item.maps[layer].max() <= 0:
        _text(axes, left + 0.5, bottom + 0.14, "zero everywhere", size=7, color=FAINT)


def _label(axes: Axes, top: float, columns: Sequence[Modality], row: dict[Modality, Explanation]) -> None:
    """Write below the pictures what they are, and how alike."""
    for column, modality in enumerate(columns):
        if modality in row:
            middle = column * _PITCH + 0.5
            subject = row[modality].subject
            _text(axes, middle, top + 0.14, modality.group, size=7.5, weight="bold")
            place = Place(_INCHES * (_PITCH - 0.06), lines=1, size=_SOURCE, dpi=_DPI)
            source = fitted(subject.source or subject.name, place)
            _text(axes, middle, top + 0.32, source, size=_SOURCE, color=FAINT)
    item = next(iter(row.values()))
    compared = "compared with itself" if item.alone else f"cosine similarity {item.similarity:.3f}"
    if any(explained.subject.seen for explained in row.values()):
        compared += "\nseen in training"
    places = [column * _PITCH + 0.5 for column, modality in enumerate(columns) if modality in row]
    _text(axes, sum(places) / len(places), top + 0.43, compared, size=7, va="top", linespacing=1.4)


def _draw_scale(figure: Figure, axes: Axes, across: float, down: float) -> None:
    """Draw what the colours mean, at the lower right."""
    inset = axes.inset_axes((across - 1.3, down - _FOOTER / 2 - 0.05, 0.9, 0.1), transform=axes.transData)
    bar = figure.colorbar(ScalarMappable(cmap=_COLOURS), cax=inset, orientation="horizontal", ticks=[])
    bar.outline.set_visible(False)
    middle = down - _FOOTER / 2
    axes.text(across - 1.36, middle, "0", ha="right", va="center", fontsize=7, color=FAINT)
    axes.text(across - 0.34, middle, "most", ha="left", va="center", fontsize=7, color=FAINT)


def _text(axes: Axes, x: float, y: float, text: str, size: float, color: str = INK, **options: Any) -> None:
    axes.text(x, y, text, fontsize=size, color=color, **{"va": "center", "ha": "center"} | options)
