"""Rows of pictures: a query at the left, what was found for it at the right, with frames, marks and two labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle

from vireid.reporting.figure_text import Place, fitted
from vireid.reporting.picture_sheet import Sheet, draw_picture, sheet_file
from vireid.reporting.style import FAINT, INK

_RIGHT, _WRONG = "#1a8f3c", "#d1242f"
_TICK, _CROSS = "\N{CHECK MARK}", "\N{BALLOT X}"
# Lengths in widths of one picture.
_PITCH = 1.2
_BETWEEN = 0.1  # between the names of two pictures
_GAP = 0.4
_LABEL = 0.75
_HEADER = 0.7
_MARGIN = 0.25
_DPI = 130
_SOURCE = 7  # points, size of the faint lines


@dataclass(frozen=True)
class Tile:
    """One picture with what stands below it.

    Attributes:
        picture: (H, W, 3) uint8 RGB; all pictures of a figure are of one size.
        value: The bold line.
        source: The faint lines: where the picture comes from, on two at most, shortened from the front.
        identity: Whom it shows, on one more; empty where that is not said.
        correct: Whether it shows the query's identity; None for the query itself, or where nobody knows.
    """

    picture: np.ndarray
    value: str
    source: str
    identity: str = ""
    correct: bool | None = None


@dataclass(frozen=True)
class PictureRow:
    """A query, what was found for it, and, set apart from these, one more picture or none."""

    query: Tile
    hits: Sequence[Tile]
    apart: Tile | None = None


@dataclass(frozen=True)
class Headings:
    """What stands above the three columns, a line or two each."""

    query: str
    hits: str
    apart: str = ""


def draw_rows(path: Path, rows: Sequence[PictureRow], headings: Headings, inches: float = 0.72) -> None:
    """Draw one row of pictures below the other.

    Args:
        path: The figure.
        rows: At least one.
        headings: What stands above them.
        inches: Width of one picture.
    """
    height, width, _ = rows[0].query.picture.shape
    aspect = height / width
    places = max(len(row.hits) for row in rows)
    end = _left(places - 1) + 1
    apart = end + _PITCH - 1 + _GAP
    across = apart + 1 if any(row.apart for row in rows) else end
    down = (aspect + _LABEL) * len(rows) + _HEADER
    with sheet_file(path, Sheet(across, down, _MARGIN, inches, _DPI)) as (_, axes):
        _draw_heading(axes, 0.5, headings.query, "center")
        _draw_heading(axes, _left(0), headings.hits, "left")
        _draw_heading(axes, apart + 0.5, headings.apart, "center")
        for number, row in enumerate(rows):
            top = _HEADER + number * (aspect + _LABEL)
            _draw_tile(axes, 0, top, inches, row.query)
            axes.add_patch(
                Rectangle((-0.06, top - 0.06), 1.12, aspect + 0.12, fill=False, edgecolor=INK, linewidth=1)
            )
            for place, tile in enumerate(row.hits):
                _draw_tile(axes, _left(place), top, inches, tile)
            if row.apart:
                _draw_tile(axes, apart, top, inches, row.apart)


def _left(place: int) -> float:
    return (place + 1) * _PITCH + _GAP


def _draw_heading(axes: Axes, left: float, text: str, align: str) -> None:
    axes.text(left, 0.32, text, ha=align, va="center", fontsize=8.5, color=FAINT)


def _draw_tile(axes: Axes, left: float, top: float, inches: float, tile: Tile) -> None:
    below = draw_picture(axes, left, top, tile.picture)
    colour = INK if tile.correct is None else _RIGHT if tile.correct else _WRONG
    axes.add_patch(
        Rectangle((left, top), 1, below - top, fill=False, edgecolor=colour, linewidth=2.5, joinstyle="miter")
    )
    if tile.correct is not None:
        mark = _TICK if tile.correct else _CROSS
        axes.add_patch(Circle((left + 0.83, top + 0.17), 0.15, facecolor=colour, edgecolor="white"))
        axes.text(left + 0.83, top + 0.18, mark, ha="center", va="center", color="white", fontsize=9)
    axes.text(left + 0.5, below + 0.2, tile.value, ha="center", va="center", fontsize=8, weight="bold")
    source = fitted(tile.source, Place(inches * (_PITCH - _BETWEEN), lines=2, size=_SOURCE, dpi=_DPI))
    lines = "\n".join(line for line in (source, tile.identity) if line)
    axes.text(left + 0.5, below + 0.32, lines, ha="center", va="top", fontsize=_SOURCE, color=FAINT)
