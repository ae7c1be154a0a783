"""Explanations as pictures: the maps of every layer over the visible and the infrared picture, side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
_MODEL = 0.36  # what a line with the models' names adds to the header
_LABEL = 0.86
_FOOTER = 0.4
_MARGIN = 0.3
_NARROWEST = 5.4  # has room for the note
_INCHES = 0.95
_DPI = 160
_SOURCE = 6.5  # points


@dataclass(frozen=True)
class ModelExplained:
    """What one model sees in the pictures.

    Attributes:
        folder: Where the model lies; stands above its maps where there are several models.
        ranked: Whose embedding is explained, and which.
        rows: Of each pair its explanations, at least one; all pictures are of one size.
        layers: Name of each layer, as the explanations have them, to what stands below it.
    """

    folder: Path
    ranked: str
    rows: Sequence[dict[Modality, Explanation]]
    layers: Mapping[str, str]


def draw_explanations(path: Path, models: Sequence[ModelExplained], note: str) -> None:
    """Draw one row for each pair: the pictures, then their maps in each layer, visible beside infrared.

    Args:
        path: The figure (PNG).
        models: At least one; the maps of each stand beside those of the one before, of the same pairs.
        note: What stands below the figure: what was explained.
    """
    first = models[0]
    columns = [modality for modality in Modality if any(modality in row for row in first.rows)]
    aspect = max(_aspect(model.rows) for model in models)
    group = _PITCH * (len(columns) - 1) + 1
    layers = sum(len(model.layers) for model in models)
    header = _HEADER + (_MODEL if len(models) > 1 else 0)
    across = max((group + _GAP) * (layers + 1) - _GAP, _NARROWEST)
    tops = [header + number * (aspect + _LABEL) for number in range(len(first.rows))]
    down = header + (aspect + _LABEL) * len(tops) + _FOOTER
    with sheet_file(path, Sheet(across, down, _MARGIN, _INCHES, _DPI)) as (figure, axes):
        _draw_heading(axes, 0, header, group, "picture", "")
        for top, row in zip(tops, first.rows, strict=True):
            _draw_tiles(axes, 0, top, columns, row, None)
            _label(axes, top + aspect, columns, row)
        left = group + _GAP
        for model in models:
            span = (group + _GAP) * len(model.layers) - _GAP
            if len(models) > 1:
                place = Place(_INCHES * (span + _GAP), lines=1, size=9, dpi=_DPI, weight="bold")
                heading = fitted(f"{model.folder}, {model.ranked}", place)
                _text(axes, left + span / 2, 0.24, heading, size=9, weight="bold")
            for layer, (name, below) in enumerate(model.layers.items()):
                start = left + layer * (group + _GAP)
                lines = below if len(columns) > 1 else below.replace(", ", "\n")
                _draw_heading(axes, start, header, group, name, lines)
                for top, row in zip(tops, model.rows, strict=True):
                    _draw_tiles(axes, start, top, columns, row, layer)
            middle, lower = (left + span / 2, 0.12) if len(models) > 1 else (group / 2, 0.43)
            for top, row in zip(tops, model.rows, strict=True):
                _text(axes, middle, top + aspect + lower, _likeness(row), size=7, va="top", linespacing=1.4)
            left += span + _GAP
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


def _aspect(rows: Sequence[dict[Modality, Explanation]]) -> float:
    height, width, _ = next(iter(rows[0].values())).subject.image.shape
    return height / width


def _draw_heading(axes: Axes, left: float, header: float, group: float, name: str, below: str) -> None:
    """Write above a group of pictures what it shows."""
    size = 9 if len(name) < 10 else 7
    heading = fitted(name, Place(_INCHES * (group + _GAP), lines=1, size=size, dpi=_DPI, weight="bold"))
    _text(axes, left + group / 2, header - 0.36, heading, size=size, weight="bold")
    _text(axes, left + group / 2, header - 0.15, below, size=6 if "\n" in below else 7, color=FAINT)


def _draw_tiles(
    axes: Axes,
    left: float,
    top: float,
    columns: Sequence[Modality],
    row: dict[Modality, Explanation],
    layer: int | None,
) -> None:
    """Draw the pictures of a pair, or one layer's maps over them."""
    for column, modality in enumerate(columns):
        if modality in row:
            _draw_tile(axes, left + column * _PITCH, top, row[modality], layer)


def _draw_tile(axes: Axes, left: float, top: float, item: Explanation, layer: int | None) -> None:
    image = item.subject.image
    if layer is None:
        draw_picture(axes, left, top, image if item.subject.modality is Modality.VISIBLE else grey(image))
        return
    heat = item.maps[layer]
    bottom = draw_picture(axes, left, top, overlay(image, enlarged(heat, image.shape[:2])))
    if heat.max() <= 0:
        _text(axes, left + 0.5, bottom + 0.14, "zero everywhere", size=7, color=FAINT)


def _label(axes: Axes, top: float, columns: Sequence[Modality], row: dict[Modality, Explanation]) -> None:
    """Write below the pictures what they are."""
    for column, modality in enumerate(columns):
        if modality in row:
            middle = column * _PITCH + 0.5
            subject = row[modality].subject
            _text(axes, middle, top + 0.14, modality.group, size=7.5, weight="bold")
            place = Place(_INCHES * (_PITCH - 0.06), lines=1, size=_SOURCE, dpi=_DPI)
            source = fitted(subject.source or subject.name, place)
            _text(axes, middle, top + 0.32, source, size=_SOURCE, color=FAINT)


def _likeness(row: dict[Modality, Explanation]) -> str:
    """Say how alike the pictures of a pair are to the model, and whether it knows the person."""
    item = next(iter(row.values()))
    compared = "compared with itself" if item.alone else f"cosine similarity {item.similarity:.3f}"
    seen = any(explained.subject.seen for explained in row.values())
    return compared + "\nseen in training" * seen


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
