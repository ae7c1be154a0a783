"""A surface to paint on: the skin of a body part, unrolled into angle around it and height along it."""

from dataclasses import dataclass

import numpy as np

from vireid.synthetic.materials import INFRARED, Material

ROWS, COLUMNS = 64, 128
SOFTNESS = 0.008
"""Width in metres over which a painted edge fades, a little less than one pixel of an image."""

Mask = np.ndarray
"""Anything that broadcasts to (ROWS, COLUMNS), float32 in [0, 1]: how much of a material is put where."""


@dataclass(frozen=True)
class Texture:
    """A finished surface, as the renderer looks it up.

    Attributes:
        visible: (ROWS * COLUMNS, 3) float32 in [0, 1], row by row from the top.
        infrared: (ROWS * COLUMNS, 1) float32 in [0, 1], likewise.
    """

    visible: np.ndarray
    infrared: np.ndarray


class Surface:
    """The surface of one body part, seen unrolled.

    Column 0 is the middle of the back, the middle column the front; angles grow towards the person's left.

    Args:
        base: What it is made of before anything is painted.
        length: Metres from its top to its bottom edge.
        radius: Mean distance in metres from its axis.

    Attributes:
        theta: (1, COLUMNS) angle around the axis in radians, 0 at the front.
        x: (1, COLUMNS) metres around from the front.   y: (ROWS, 1) metres down from the top.
        v: (ROWS, 1) fraction of the way down.
        girth: Metres once around.
    """

    def __init__(self, base: Material, length: float, radius: float):
        self.theta = ((np.arange(COLUMNS, dtype=np.float32) + 0.5) / COLUMNS * 2 - 1)[None] * np.float32(np.pi)
        self.v = ((np.arange(ROWS, dtype=np.float32) + 0.5) / ROWS)[:, None]
        self.x, self.y = self.theta * np.float32(radius), self.v * np.float32(length)
        self.length, self.girth = length, 2 * np.pi * radius
        self._colour = np.empty((ROWS, COLUMNS, 4), dtype=np.float32)
        self._colour[:] = base

    def paint(self, mask: Mask, material: Material) -> None:
        """Lay a material over the surface where `mask` is 1."""
        self._colour += np.asarray(mask, dtype=np.float32)[..., None] * (material - self._colour)

    def shade(self, factor: Mask) -> None:
        """Make the surface darker or lighter in both spectra alike."""
        self._colour *= np.asarray(factor, dtype=np.float32)[..., None]

    def finish(self) -> Texture:
        """Return the texture, in steps of 1/1023 so that it does not depend on a machine's mathematics library."""
        steps = np.round(np.clip(self._colour, 0, 1) * 1023) / np.float32(1023)
        flat = steps.reshape(-1, 4).astype(np.float32)
        return Texture(
            visible=np.ascontiguousarray(flat[:, :INFRARED]), infrared=np.ascontiguousarray(flat[:, INFRARED:])
        )


def inside(distance: Mask) -> Mask:
    """Turn a distance in metres, positive inside a shape, into a mask with soft edges."""
    return np.clip(distance / SOFTNESS + 0.5, 0.0, 1.0)
