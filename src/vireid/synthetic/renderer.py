"""Drawing of a person: every part is a solid seen from one side, and the far ones are drawn first.

Only additions, multiplications, divisions and table look-ups touch pixels; whatever comes out of a
mathematics library is rounded before it is used, so that all machines draw the same bytes.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vireid.synthetic.figure import SAMPLES, Shape
from vireid.synthetic.pose import Part, Point
from vireid.synthetic.surface import COLUMNS, ROWS

STEPS = 256
"""Entries of the tables that run across a part, from its left silhouette to its right."""
ACROSS = (np.arange(STEPS, dtype=np.float32) + 0.5) / (STEPS / 2) - 1
FACING = np.array([round(math.sqrt(1 - float(v) ** 2), 5) for v in ACROSS], dtype=np.float32)
ANGLE = np.array([math.asin(float(v)) for v in ACROSS])
OUTSIDE = -9.0
"""A half width, in pixels, that covers nothing."""

Canvas = np.ndarray
"""(H, W, C) float32 radiance; C is 3 for visible light, 1 for near-infrared."""


@dataclass(frozen=True)
class View:
    """How a person is seen.

    Attributes:
        yaw: Direction the person faces, in radians; 0 is towards the camera, pi / 2 to the image's right.
        pitch: How far the camera looks down, in radians.
        scale: Pixels per metre.
        x, y: Pixel of the point on the ground between the feet.
    """

    yaw: float
    pitch: float
    scale: float
    x: float
    y: float

    def project(self, point: Point) -> tuple[float, float, float]:
        """Return the pixel column and row of a point, and how near it is to the camera in metres."""
        x, y, z = point
        near = z * math.cos(self.yaw) - x * math.sin(self.yaw)
        right = x * math.cos(self.yaw) + z * math.sin(self.yaw)
        down = near * math.sin(self.pitch) - y * math.cos(self.pitch)
        return _snap(self.x + right * self.scale), _snap(self.y + down * self.scale), near


@dataclass(frozen=True)
class Light:
    """Light from everywhere, and light from a direction (to the right, down, towards the camera; length 1)."""

    ambient: float
    directed: float
    direction: tuple[float, float, float]


def draw_person(
    canvas: Canvas,
    parts: list[Part],
    shapes: dict[str, Shape],
    textures: dict[str, np.ndarray],
    view: View,
    light: Light,
) -> None:
    """Draw a person into a picture.

    Args:
        canvas: (H, W, C) picture, changed in place.
        parts: What to draw and where.
        shapes: Shape by name of part.
        textures: (ROWS * COLUMNS, C) texture by name of part.
        view: Where the person is seen from.
        light: What lights them.
    """

    def nearness(part: Part) -> float:
        return (view.project(part.start)[2] + view.project(part.end)[2]) / 2 + part.lift

    columns = _columns_across(view.yaw)
    for part in sorted(parts, key=nearness):
        _draw_part(canvas, part, shapes[part.name], textures[part.name], columns, view, light)


def draw_shadow(canvas: Canvas, view: View, radius: float, strength: float) -> None:
    """Darken the ground around the feet; `radius` in metres, `strength` in [0, 1]."""
    height, width = canvas.shape[:2]
    reach = radius * view.scale
    x = (np.arange(width, dtype=np.float32) + 0.5 - _snap(view.x)) / np.float32(_snap(reach))
    top = max(int(view.y - reach * 0.4), 0)
    y = (np.arange(top, height, dtype=np.float32) + 0.5 - _snap(view.y)) / np.float32(_snap(reach * 0.32))
    depth = np.clip(1 - x * x - (y * y)[:, None], 0, 1)
    canvas[top:] *= (1 - np.float32(strength) * depth * (2 - depth))[..., None]


def _draw_part(
    canvas: Canvas,
    part: Part,
    shape: Shape,
    texture: np.ndarray,
    columns: NDArray[np.int32],
    view: View,
    light: Light,
) -> None:
    """Lay one part over the picture, softly at its edges."""
    (x0, y0, _), (x1, y1, _) = view.project(part.start), view.project(part.end)
    length = max(_snap(math.hypot(x1 - x0, y1 - y0)), 0.5)
    right, down = (x1 - x0) / length, (y1 - y0) / length
    cap = _snap(shape.cap * view.scale)
    widths = _widths(shape, length, cap, view)
    is_cut = shape.cap == 0
    sag = _snap(float(shape.half_depth.mean()) * view.scale * math.sin(view.pitch)) if is_cut else 0.0

    reach = float(widths.max()) + cap + 1
    left, over = max(int(min(x0, x1) - reach), 0), max(int(min(y0, y1) - reach), 0)
    region = canvas[over : max(int(max(y0, y1) + reach + sag) + 1, 0), left : max(int(max(x0, x1) + reach) + 1, 0)]
    if region.size == 0:
        return
    x = np.arange(left, left + region.shape[1], dtype=np.float32) + np.float32(0.5 - x0)
    y = (np.arange(over, over + region.shape[0], dtype=np.float32) + np.float32(0.5 - y0))[:, None]
    along = x * np.float32(right) + y * np.float32(down)
    across = x * np.float32(down) - y * np.float32(right)

    at = ((along + np.float32(cap)) * 2).astype(np.int32) + 1
    width = widths.take(at, mode="clip")
    step = (across / width * (STEPS / 2) + (STEPS / 2)).astype(np.int32)
    np.clip(step, 0, STEPS - 1, out=step)
    cover = np.clip(width - np.abs(across) + np.float32(0.5), 0, 1)
    if is_cut:
        along = along - (FACING * np.float32(sag)).take(step)
        cover *= np.clip(np.minimum(along, np.float32(length) - along) + np.float32(0.5), 0, 1)

    row = (along * np.float32(ROWS / length)).astype(np.int32)
    np.clip(row, 0, ROWS - 1, out=row)
    colour = texture.take(row * COLUMNS + columns.take(step), axis=0)
    colour *= _shading(light, right, down).take(step)[..., None]
    colour -= region
    colour *= cover[..., None]
    region += colour


def _widths(shape: Shape, length: float, cap: float, view: View) -> np.ndarray:
    """Half width in pixels for every half pixel along a part's axis, between two entries for what lies beyond."""
    side, front = math.sin(view.yaw), math.cos(view.yaw)
    profile = np.sqrt((shape.half_width * np.float32(front)) ** 2 + (shape.half_depth * np.float32(side)) ** 2)
    at = np.arange(int(2 * (length + 2 * cap)) + 1) / 2 - cap
    half = np.interp(at, np.linspace(0, length, SAMPLES), profile * np.float32(view.scale))
    if cap == 0:
        return np.round(np.concatenate([half[:1], half, half[-1:]]), 4).astype(np.float32)
    beyond = np.maximum(np.maximum(-at, at - length), 0) / cap
    half *= np.sqrt(np.maximum(1 - beyond**2, 0.02))
    return np.round(np.concatenate([[OUTSIDE], half, [OUTSIDE]]), 4).astype(np.float32)


def _columns_across(yaw: float) -> NDArray[np.int32]:
    """The texture column seen at every step across a part of a person who faces `yaw`."""
    turn = (np.round(ANGLE - yaw, 6) / (2 * np.pi) + 0.5) * COLUMNS
    return np.floor(np.round(turn, 4)).astype(np.int32) % COLUMNS


def _shading(light: Light, right: float, down: float) -> np.ndarray:
    """Brightness at every step across a part whose axis points (right, down)."""
    x, y, z = light.direction
    lit = ACROSS * np.float32(x * down - y * right) + FACING * np.float32(z)
    return np.float32(light.ambient) + np.float32(light.directed) * np.maximum(lit, 0)


def _snap(value: float) -> float:
    """Round to 1/64 pixel, far coarser than any difference between two mathematics libraries."""
    return round(value * 64) / 64
