"""One photograph: a person at a moment of a walk, before a background, seen by a camera."""

import functools
import math
from dataclasses import dataclass

import numpy as np

from vireid.data.records import Modality
from vireid.synthetic.cameras import Camera, develop
from vireid.synthetic.draws import Draw, Purpose
from vireid.synthetic.figure import Shape, shapes_of
from vireid.synthetic.garments import paint_clothes
from vireid.synthetic.heads import paint_head
from vireid.synthetic.pose import draw_gait, parts_of
from vireid.synthetic.renderer import Canvas, View, draw_person, draw_shadow
from vireid.synthetic.scenes import paint_scene
from vireid.synthetic.surface import Texture
from vireid.synthetic.wardrobe import Identity, draw_identity

YAW_DEVIATION = 0.22
SIDE_WEIGHT = 0.4
"""How often a person is seen from a side, where front and back weigh 1 each."""
CROP_JITTER = 0.5
"""Looseness of the crop: 0 always the same, 1 as a careless detector."""
OCCLUSION = 0.08
FILL = 0.88
"""Part of the image's height that a person of average stature takes."""


@dataclass(frozen=True)
class Sitter:
    """A person ready to be photographed: attributes, shapes and painted surfaces."""

    identity: Identity
    shapes: dict[str, Shape]
    textures: dict[str, Texture]


def prepare(seed: int, pid: int) -> Sitter:
    """Draw a person and paint everything they wear."""
    identity = draw_identity(seed, pid)
    shapes = shapes_of(identity)
    return Sitter(identity, shapes, paint_clothes(identity, shapes) | paint_head(identity, shapes))


def photograph(sitter: Sitter, camera: Camera, size: tuple[int, int], seed: int, key: tuple[int, int]) -> bytes:
    """Take one image.

    Args:
        sitter: Whom.
        camera: With which camera.
        size: Height and width in pixels.
        seed: The data set's seed.
        key: pid and number of the image; with the camera's number they fix everything random about it.

    Returns:
        A JPEG file.
    """
    draw = Draw(seed, Purpose.IMAGE, key[0], camera.camid, key[1])
    canvas = _background(camera, size, seed, draw)
    view = _draw_view(sitter.identity, camera, size, draw)
    draw_shadow(canvas, view, 0.42, 0.45)
    parts = parts_of(sitter.identity, sitter.shapes, draw_gait(draw))
    visible = camera.modality is Modality.VISIBLE
    textures = {name: item.visible if visible else item.infrared for name, item in sitter.textures.items()}
    draw_person(canvas, parts, sitter.shapes, textures, view, camera.light)
    if draw.chance(OCCLUSION):
        _occlude(canvas, draw)
    return develop(canvas, camera, seed, draw)


def _draw_view(identity: Identity, camera: Camera, size: tuple[int, int], draw: Draw) -> View:
    height, width = size
    facing = draw.weighted({0.0: 1.0, math.pi: 1.0, math.pi / 2: SIDE_WEIGHT / 2, -math.pi / 2: SIDE_WEIGHT / 2})
    stature = identity.build.stature
    tallness = 1 + 0.5 * (stature / 1.71 - 1)  # a detector's box follows the person, so half of stature is lost
    zoom = 1 + CROP_JITTER * draw.uniform(-0.08, 0.08)
    return View(
        yaw=draw.normal(facing, YAW_DEVIATION),
        pitch=camera.pitch,
        scale=FILL * height * tallness * zoom / (stature * math.cos(camera.pitch)),
        x=width * (0.5 + CROP_JITTER * draw.uniform(-0.10, 0.10)),
        y=height * (0.945 + CROP_JITTER * draw.uniform(-0.04, 0.04)),
    )


def _background(camera: Camera, size: tuple[int, int], seed: int, draw: Draw) -> Canvas:
    """Cut a piece out of the camera's scene, somewhere along it."""
    scale = size[0] / 192
    scene = _scene(camera.scene, seed, int(camera.modality), scale)
    left = int(draw.uniform(0, scene.shape[1] - size[1]))
    top = int((scene.shape[0] - size[0]) * draw.uniform(0.35, 0.65))
    return scene[top : top + size[0], left : left + size[1]].copy()


@functools.cache
def _scene(name: str, seed: int, spectrum: int, scale: float) -> np.ndarray:
    return paint_scene(name, seed, spectrum, scale)


def _occlude(canvas: Canvas, draw: Draw) -> None:
    """Put a post or a low wall between person and camera."""
    height, width = canvas.shape[:2]
    grey = np.float32(draw.uniform(0.2, 0.6))
    if draw.chance(0.5):
        half = width * draw.uniform(0.06, 0.12)
        middle = width * draw.uniform(0.1, 0.9)
        at = (np.arange(width, dtype=np.float32) + 0.5 - np.float32(middle)) / np.float32(half)
        cover = (np.clip((1 - np.abs(at)) * 6, 0, 1))[None, :, None]
        shade = grey * (1 - np.float32(0.4) * at * at)[None, :, None]
    else:
        edge = height * draw.uniform(0.72, 0.88)
        down = np.arange(height, dtype=np.float32) + 0.5 - np.float32(edge)
        cover = np.clip(down, 0, 1)[:, None, None]
        coping = np.float32(0.3) * np.clip(5 - np.abs(down - 4), 0, 1)
        shade = grey * (np.float32(0.9) + coping - down * np.float32(0.3 / height))[:, None, None]
    canvas += cover * (np.maximum(shade, 0) - canvas)
