"""A sheet of pictures: lengths are in widths of one picture, and rows go down."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vireid.reporting.style import figure_file


@dataclass(frozen=True)
class Sheet:
    """Size of a sheet.

    Attributes:
        across: Width without the margins.
        down: Height.
        margin: At the left and at the right.
        inches: Width of one picture.
        dpi: Pixels per inch.
    """

    across: float
    down: float
    margin: float
    inches: float
    dpi: int


@contextmanager
def sheet_file(path: Path, sheet: Sheet) -> Iterator[tuple[Figure, Axes]]:
    """Yield an empty sheet, and save it as PNG."""
    size = sheet.inches * (sheet.across + 2 * sheet.margin), sheet.inches * sheet.down
    with figure_file(path, *size, dpi=sheet.dpi, layout="none") as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-sheet.margin, sheet.across + sheet.margin), ylim=(sheet.down, 0))
        axes.set_axis_off()
        yield figure, axes


def draw_picture(axes: Axes, left: float, top: float, picture: np.ndarray) -> float:
    """Draw (H, W, 3) uint8 RGB one unit wide, and return where it ends."""
    bottom = top + picture.shape[0] / picture.shape[1]
    extent = (left, left + 1, bottom, top)
    axes.imshow(picture, extent=extent, interpolation="bilinear", aspect="auto", zorder=1)
    return bottom
