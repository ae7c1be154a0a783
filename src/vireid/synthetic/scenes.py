"""The places where the cameras hang, each drawn once as a wide picture from which backgrounds are cut."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from vireid.synthetic.draws import Draw, Purpose
from vireid.synthetic.materials import INFRARED, Material, material, scaled

HEIGHT, WIDTH = 248, 768
"""Size of a scene in pixels, for images 192 pixels high."""
FINE = 2
"""Scenes are drawn this many times larger and then reduced, which smooths their edges."""
DEPTH_OF_FIELD = 1.3
"""Radius in pixels of the blur that keeps a background behind the person."""

Point = tuple[float, float]


class Painter:
    """Draws with materials, in both spectra at once.

    Args:
        base: Material of the empty scene.
        draw: Source of random values.
    """

    def __init__(self, base: Material, draw: Draw):
        self.draw = draw
        size = (WIDTH * FINE, HEIGHT * FINE)
        visible, infrared = _inks(base)
        self._images = [Image.new("RGB", size, visible), Image.new("L", size, infrared)]
        self._pens = [ImageDraw.Draw(image) for image in self._images]

    def polygon(self, points: list[Point], paint: Material) -> None:
        """Fill a polygon."""
        corners = [(round(x * FINE), round(y * FINE)) for x, y in points]
        for pen, ink in zip(self._pens, _inks(paint), strict=True):
            pen.polygon(corners, fill=ink)

    def box(self, left: float, top: float, right: float, bottom: float, paint: Material) -> None:
        """Fill an upright rectangle."""
        self.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], paint)

    def disc(self, x: float, y: float, radius: float, paint: Material) -> None:
        """Fill a disc."""
        corners = [round(value * FINE) for value in (x - radius, y - radius, x + radius, y + radius)]
        for pen, ink in zip(self._pens, _inks(paint), strict=True):
            pen.ellipse(corners, fill=ink)

    def line(self, start: Point, end: Point, width: float, paint: Material) -> None:
        """Draw a straight line."""
        ends = [(round(x * FINE), round(y * FINE)) for x, y in (start, end)]
        for pen, ink in zip(self._pens, _inks(paint), strict=True):
            pen.line(ends, fill=ink, width=max(round(width * FINE), 1))

    def floor(self, top: float, paint: Material, joint: Material, tile: float) -> None:
        """Lay a tiled floor in perspective from a row downwards; `tile` is its size in pixels at the front."""
        self.box(0, top, WIDTH, HEIGHT, paint)
        horizon, vanish = top - 50, WIDTH / 2
        for x in np.arange(-4 * WIDTH, 5 * WIDTH, tile):
            bend = (top - horizon) / (HEIGHT - horizon)
            self.line((vanish + (x - vanish) * bend, top), (float(x), HEIGHT), 0.8, joint)
        for step in range(14):
            y = horizon + (HEIGHT - horizon) / (1 + step * tile / 190)
            if y > top:
                self.line((0, y), (WIDTH, y), 0.8, joint)

    def foliage(self, left: float, top: float, right: float, bottom: float, paint: Material, count: int) -> None:
        """Scatter leaves of changing brightness over a rectangle."""
        for _ in range(count):
            x, y = self.draw.uniform(left, right), self.draw.uniform(top, bottom)
            self.disc(x, y, self.draw.uniform(2, 8), scaled(paint, self.draw.uniform(0.55, 1.3)))

    def finish(self, spectrum: int, scale: float) -> np.ndarray:
        """Return (H, W, C) float32 in [0, 1]: the visible picture for spectrum 0, the infrared one for 1."""
        image = self._images[spectrum].resize((round(WIDTH * scale), round(HEIGHT * scale)), Image.Resampling.BOX)
        image = image.filter(ImageFilter.GaussianBlur(DEPTH_OF_FIELD * scale))
        pixels = np.asarray(image, dtype=np.float32).reshape(image.height, image.width, -1) / np.float32(255)
        return pixels * _unevenness(self.draw, image.width, image.height)[..., None]


def _inks(paint: Material) -> tuple[tuple[int, ...] | int, ...]:
    values = [round(float(value) * 255) for value in paint]
    return tuple(values[:INFRARED]), values[INFRARED]


def _unevenness(draw: Draw, width: int, height: int) -> np.ndarray:
    """Slow changes of light over a scene, around 1."""
    coarse = Image.fromarray(draw.state.randint(60, 196, size=(5, 13)).astype(np.uint8))
    smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32)
    return np.float32(0.86) + smooth * np.float32(0.28 / 255)


def _office(painter: Painter) -> None:
    wall, door, frame = (
        material(0.74, 0.72, 0.66, 0.50),
        material(0.50, 0.34, 0.22, 0.42),
        material(0.36, 0.25, 0.17, 0.3),
    )
    painter.box(0, 0, WIDTH, 160, wall)
    painter.box(0, 100, WIDTH, 160, scaled(wall, 0.86))
    for x in (60, 400, 640):
        painter.box(x - 4, 20, x + 62, 160, frame)
        painter.box(x, 24, x + 58, 160, door)
        painter.box(x + 18, 38, x + 40, 84, material(0.60, 0.68, 0.70, 0.30))
        painter.disc(x + 52, 100, 2, material(0.8, 0.75, 0.5, 0.7))
    painter.box(160, 30, 268, 92, material(0.34, 0.34, 0.36, 0.3))
    painter.box(163, 33, 265, 89, material(0.90, 0.91, 0.92, 0.72))
    for x in (300, 520, 555):
        painter.box(x, 84, x + 33, 162, material(0.48, 0.51, 0.52, 0.40))
        for y in (98, 118, 138):
            painter.line((x + 3, y), (x + 30, y), 1.2, material(0.30, 0.32, 0.33, 0.25))
    painter.floor(160, material(0.58, 0.52, 0.44, 0.40), material(0.47, 0.42, 0.36, 0.34), 64)
    painter.box(0, 155, WIDTH, 161, material(0.30, 0.24, 0.20, 0.25))


def _laboratory(painter: Painter) -> None:
    wall = material(0.64, 0.71, 0.74, 0.46)
    painter.box(0, 0, WIDTH, 152, wall)
    for x in (40, 260, 560):
        painter.box(x, 0, x + 120, 86, material(0.45, 0.48, 0.50, 0.34))
        painter.box(x + 5, 0, x + 115, 81, material(0.83, 0.88, 0.92, 0.24))
        for y in range(6, 80, 9):
            painter.line((x + 5, y), (x + 115, y), 2.2, material(0.70, 0.73, 0.74, 0.52))
    painter.floor(152, material(0.40, 0.43, 0.45, 0.30), material(0.33, 0.36, 0.38, 0.25), 90)
    for x in (10, 190, 420, 600):
        painter.box(x, 118, x + 130, 126, material(0.66, 0.55, 0.40, 0.56))
        painter.box(x + 4, 126, x + 12, 178, material(0.30, 0.31, 0.33, 0.20))
        painter.box(x + 116, 126, x + 124, 178, material(0.30, 0.31, 0.33, 0.20))
        painter.box(x + 40, 88, x + 78, 116, material(0.10, 0.11, 0.13, 0.12))
        painter.box(x + 43, 91, x + 75, 112, material(0.22, 0.28, 0.38, 0.16))
    for x in (150, 386, 740):
        painter.box(x, 96, x + 24, 142, material(0.20, 0.26, 0.42, 0.42))
        painter.box(x + 10, 142, x + 14, 176, material(0.2, 0.2, 0.2, 0.2))


def _gate(painter: Painter) -> None:
    painter.box(0, 0, WIDTH, 62, material(0.80, 0.84, 0.88, 0.60))
    painter.foliage(0, 22, WIDTH, 96, material(0.34, 0.42, 0.26, 0.76), 756)
    painter.box(0, 96, WIDTH, 142, material(0.62, 0.58, 0.53, 0.44))
    for x in range(4, WIDTH, 13):
        painter.line((x, 34), (x, 142), 2.0, material(0.16, 0.19, 0.20, 0.18))
    for y in (40, 132):
        painter.line((0, y), (WIDTH, y), 3.2, material(0.16, 0.19, 0.20, 0.18))
    brick = material(0.56, 0.34, 0.27, 0.50)
    for x in (70, 290, 500, 690):
        painter.box(x, 12, x + 42, 150, brick)
        for y in range(12, 150, 8):
            painter.line((x, y), (x + 42, y), 0.8, scaled(brick, 1.25))
        painter.box(x - 4, 6, x + 46, 15, scaled(brick, 0.7))
    painter.floor(146, material(0.66, 0.64, 0.60, 0.48), material(0.55, 0.53, 0.50, 0.40), 52)
    painter.box(0, 142, WIDTH, 150, material(0.48, 0.46, 0.43, 0.38))


def _garden(painter: Painter) -> None:
    painter.box(0, 0, WIDTH, 150, material(0.46, 0.55, 0.42, 0.60))
    painter.foliage(0, 0, WIDTH, 90, material(0.33, 0.46, 0.24, 0.80), 936)
    for x in (50, 210, 330, 520, 705):
        painter.polygon([(x, 0), (x + 15, 0), (x + 19, 140), (x - 4, 140)], material(0.32, 0.26, 0.20, 0.36))
    painter.foliage(0, 96, WIDTH, 138, material(0.24, 0.38, 0.18, 0.72), 828)
    painter.box(0, 140, WIDTH, HEIGHT, material(0.42, 0.52, 0.26, 0.74))
    painter.foliage(0, 146, WIDTH, 172, material(0.42, 0.52, 0.26, 0.72), 468)
    painter.box(0, 170, WIDTH, HEIGHT, material(0.64, 0.58, 0.50, 0.46))
    for x in (130, 440, 620):
        painter.box(x, 128, x + 76, 134, material(0.46, 0.32, 0.20, 0.42))
        painter.box(x, 112, x + 76, 118, material(0.50, 0.35, 0.22, 0.42))
        for leg in (6, 66):
            painter.box(x + leg, 112, x + leg + 4, 158, material(0.22, 0.22, 0.22, 0.22))


def _passage(painter: Painter) -> None:
    wall = material(0.55, 0.54, 0.52, 0.42)
    painter.box(0, 0, WIDTH, 156, wall)
    for y in range(8, 156, 15):
        painter.line((0, y), (WIDTH, y), 0.8, scaled(wall, 0.84))
    for x in (20, 230, 600):
        painter.box(x, 40, x + 92, 156, material(0.2, 0.2, 0.2, 0.13))
        painter.box(x + 6, 46, x + 86, 156, material(0.30, 0.30, 0.32, 0.20))
        painter.line((x + 46, 46), (x + 46, 156), 2.5, material(0.2, 0.2, 0.2, 0.12))
    for x in (150, 370, 520, 730):
        painter.box(x, 0, x + 34, 166, material(0.70, 0.69, 0.66, 0.58))
        painter.box(x + 26, 0, x + 34, 166, material(0.6, 0.6, 0.6, 0.44))
    painter.foliage(418, 104, 508, 152, material(0.3, 0.4, 0.2, 0.82), 216)
    painter.floor(156, material(0.45, 0.45, 0.44, 0.32), material(0.36, 0.36, 0.36, 0.26), 70)
    painter.box(0, 153, WIDTH, 158, material(0.3, 0.3, 0.3, 0.22))


SCENES: dict[str, Callable[[Painter], None]] = {
    "office": _office,
    "laboratory": _laboratory,
    "gate": _gate,
    "garden": _garden,
    "passage": _passage,
}


def paint_scene(name: str, seed: int, spectrum: int, scale: float) -> np.ndarray:
    """Draw a place.

    Args:
        name: One of `SCENES`.
        seed: The data set's seed.
        spectrum: 0 for visible light, 1 for near-infrared.
        scale: Size relative to a scene for images 192 pixels high.

    Returns:
        (HEIGHT * scale, WIDTH * scale, C) float32 radiance around [0, 1].
    """
    painter = Painter(material(0.5, 0.5, 0.5, 0.4), Draw(seed, Purpose.SCENE, list(SCENES).index(name)))
    SCENES[name](painter)
    return painter.finish(spectrum, scale)
