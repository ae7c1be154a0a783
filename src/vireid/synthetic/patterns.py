"""Patterns and logos as masks over a surface, measured in metres so that they fit from sleeve to chest."""

from collections.abc import Callable

import numpy as np

from vireid.synthetic.surface import Mask, Surface, inside


def plain(surface: Surface, period: float) -> Mask:
    """No pattern at all."""
    return np.zeros((1, 1), dtype=np.float32)


def stripes(surface: Surface, period: float) -> Mask:
    """Rings around the body."""
    return inside(period * 0.22 - _to_line(surface.y, period))


def bold_stripes(surface: Surface, period: float) -> Mask:
    """A few broad rings around the body."""
    return inside(period * 0.45 - _to_line(surface.y, period * 1.9))


def pinstripes(surface: Surface, period: float) -> Mask:
    """Lines down the body."""
    return inside(period * 0.2 - _to_line(surface.x, _closing(surface, period)))


def checks(surface: Surface, period: float) -> Mask:
    """Crossing lines, strongest where they cross."""
    down = inside(period * 0.2 - _to_line(surface.x, _closing(surface, period)))
    around = inside(period * 0.2 - _to_line(surface.y, period))
    return 0.6 * (down + around) - 0.2 * down * around


def chessboard(surface: Surface, period: float) -> Mask:
    """Alternating squares."""
    down = inside(period * 0.5 - _to_line(surface.x, _closing(surface, period * 2)))
    around = inside(period * 0.5 - _to_line(surface.y, period * 2))
    return down + around - 2 * down * around


def dots(surface: Surface, period: float) -> Mask:
    """Discs in staggered rows."""
    across = _closing(surface, period)
    shifted = surface.x + np.floor(surface.y / period) % 2 * (across / 2)
    distance = np.sqrt(_to_line(shifted, across) ** 2 + _to_line(surface.y, period) ** 2)
    return inside(period * 0.30 - distance)


def camouflage(surface: Surface, period: float) -> Mask:
    """Irregular blotches."""
    around, down = surface.theta * max(round(surface.girth / period / 2), 1), surface.y * (4 / period)
    field = np.sin(around + 1.7 * np.sin(down * 0.6)) + np.sin(down + 1.3 * np.sin(around * 2 + 1))
    return np.clip(field * 3 - 0.4, 0, 1)


def diamonds(surface: Surface, period: float) -> Mask:
    """Squares standing on a corner, side by side."""
    across = _closing(surface, period)
    return inside(period * 0.34 - _to_line(surface.x, across) - _to_line(surface.y, period * 1.3) * 0.75)


def yoke(surface: Surface, period: float) -> Mask:
    """Another material over the shoulders."""
    return inside(0.08 + period * 1.3 - surface.y)


def lower_half(surface: Surface, period: float) -> Mask:
    """Another material below the middle."""
    return inside(surface.y - surface.length * 0.5)


def band(surface: Surface, period: float) -> Mask:
    """One broad ring below the shoulders."""
    return inside(period * 0.75 - np.abs(surface.y - 0.22))


def side_panels(surface: Surface, period: float) -> Mask:
    """Another material down both sides."""
    return inside(period * 0.6 - np.abs(np.abs(surface.x) - surface.girth / 4))


def halves(surface: Surface, period: float) -> Mask:
    """Another material on the person's left."""
    return inside(surface.x) * inside(surface.girth / 2 - surface.x)


def sash(surface: Surface, period: float) -> Mask:
    """A broad loop over one shoulder and under the other arm."""
    return inside(period * 0.7 - np.abs(surface.y - 0.24 - 0.16 * np.sin(surface.theta)))


PATTERNS: dict[str, Callable[[Surface, float], Mask]] = {
    "plain": plain,
    "stripes": stripes,
    "bold stripes": bold_stripes,
    "pinstripes": pinstripes,
    "checks": checks,
    "chessboard": chessboard,
    "dots": dots,
    "camouflage": camouflage,
    "diamonds": diamonds,
    "yoke": yoke,
    "lower half": lower_half,
    "band": band,
    "side panels": side_panels,
    "halves": halves,
    "sash": sash,
}

LOGOS = ("disc", "square", "diamond", "ring", "cross", "triangle", "bars", "letter")


def logo(surface: Surface, shape: str, size: float, angle: float, height: float) -> Mask:
    """A single figure.

    Args:
        surface: Where it is drawn.
        shape: One of `LOGOS`.
        size: Half its extent in metres.
        angle: Where around the body its middle is, in radians; 0 is the front, pi the back.
        height: Metres from the top edge to its middle.
    """
    turned = (surface.theta - np.float32(angle) + np.pi) % (2 * np.pi) - np.pi
    x, y = turned * (surface.girth / (2 * np.pi)), surface.y - height
    return inside(_logo_distance(shape, x, y, size))


def _logo_distance(shape: str, x: Mask, y: Mask, size: float) -> Mask:
    """Metres to the edge of a logo, positive inside."""
    box = size - np.maximum(np.abs(x), np.abs(y))
    if shape == "disc":
        return size - np.sqrt(x**2 + y**2)
    if shape == "square":
        return box
    if shape == "diamond":
        return (size * 1.2 - np.abs(x) - np.abs(y)) * 0.7
    if shape == "ring":
        return size * 0.26 - np.abs(np.sqrt(x**2 + y**2) - size * 0.74)
    if shape == "cross":
        return np.minimum(box, size * 0.3 - np.minimum(np.abs(x), np.abs(y)))
    if shape == "triangle":
        return np.minimum(size - y, (y + size) * 0.45 - np.abs(x) * 0.9)
    if shape == "bars":
        return np.minimum(box, size * 0.18 - _to_line(y + size, size * 0.72))
    return np.minimum(box, np.maximum(size * 0.28 - np.abs(y + size * 0.7), size * 0.28 - np.abs(x)))


def _to_line(position: Mask, period: float) -> Mask:
    """Distance to the nearest of the lines that repeat every `period`."""
    return np.abs((position / period) % 1 - 0.5) * period


def _closing(surface: Surface, period: float) -> float:
    """The period nearest to `period` that fits a whole number of times around the surface."""
    return surface.girth / max(round(surface.girth / period), 1)
