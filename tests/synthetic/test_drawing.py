"""The person and the camera: everything that can be worn is drawn, and lands in the image. CPU, seconds."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from vireid.synthetic.cameras import CAMERAS
from vireid.synthetic.figure import shapes_of
from vireid.synthetic.materials import material
from vireid.synthetic.patterns import LOGOS, PATTERNS, logo
from vireid.synthetic.photographer import photograph, prepare
from vireid.synthetic.pose import Gait, parts_of
from vireid.synthetic.renderer import Light, View, draw_person
from vireid.synthetic.scenes import SCENES, paint_scene
from vireid.synthetic.surface import COLUMNS, ROWS, Surface
from vireid.synthetic.wardrobe import (
    BAGS,
    BOTTOM_PATTERNS,
    CUTS,
    HAIR_STYLES,
    HEADGEAR,
    TOP_PATTERNS,
    draw_identity,
)

SIZE = (192, 96)
WHITE = Light(1.0, 0.0, (0.0, 0.0, 1.0))


def decoded(jpeg):
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def silhouette(identity, yaw):
    """Draw a person in black on white, and return the mask of what is covered."""
    shapes = shapes_of(identity)
    parts = parts_of(identity, shapes, Gait(phase=0.0, swing=0.2, elbow=0.2))
    black = np.zeros((ROWS * COLUMNS, 1), dtype=np.float32)
    canvas = np.ones((*SIZE, 1), dtype=np.float32)
    draw_person(canvas, parts, shapes, dict.fromkeys(shapes, black), View(yaw, 0.15, 95.0, 48.0, 182.0), WHITE)
    return canvas[..., 0] < 0.5


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda camera: f"camera{camera.camid}")
def test_photograph_is_a_three_channel_jpeg_and_grey_in_infrared(camera):
    image = decoded(photograph(prepare(1, 1), camera, SIZE, 1, (1, 1)))
    assert image.shape == (*SIZE, 3)
    assert image.std() > 10
    grey = np.abs(image.astype(int) - image.astype(int).mean(axis=-1, keepdims=True)).max() < 1
    assert grey == (camera.modality.name == "INFRARED")


@pytest.mark.parametrize("yaw", [0.0, math.pi / 2, math.pi, -math.pi / 2])
def test_person_is_drawn_whole_from_every_side(yaw):
    covered = silhouette(draw_identity(1, 3), yaw)
    rows = np.flatnonzero(covered.any(axis=1))
    assert 140 < rows[-1] - rows[0] < 185
    assert 0.08 < covered.mean() < 0.45
    assert not covered[:, [0, -1]].any()


def test_person_is_narrower_from_the_side():
    person = draw_identity(1, 3)
    person = replace(person, bag=replace(person.bag, kind="none"))
    front, side = (silhouette(person, yaw)[40:80].sum() for yaw in (0.0, math.pi / 2))
    assert side < front


def test_logo_on_the_chest_is_hidden_from_behind():
    red, blue = material(1, 0, 0, 0.9), material(0, 0, 1, 0.1)
    person, shapes = draw_identity(1, 3), shapes_of(draw_identity(1, 3))
    chest = Surface(blue, shapes["torso"].length, shapes["torso"].radius)
    chest.paint(logo(chest, "disc", 0.08, angle=0.0, height=0.2), red)
    parts = [part for part in parts_of(person, shapes, Gait(0.0, 0.0, 0.0)) if part.name == "torso"]
    seen = []
    for yaw in (0.0, math.pi):
        canvas = np.zeros((*SIZE, 3), dtype=np.float32)
        textures = {"torso": chest.finish().visible}
        draw_person(canvas, parts, shapes, textures, View(yaw, 0.1, 95.0, 48.0, 182.0), WHITE)
        seen.append((canvas[..., 0] > 0.5).sum())
    assert seen[0] > 80
    assert seen[1] == 0


def test_every_choice_of_the_wardrobe_has_its_parts():
    person, shapes = draw_identity(1, 1), shapes_of(draw_identity(1, 1))
    assert set(TOP_PATTERNS) | set(BOTTOM_PATTERNS) <= set(PATTERNS)
    for style in HAIR_STYLES:
        for headgear in HEADGEAR:
            for bag, cut in zip(BAGS, CUTS, strict=False):
                dressed = replace(
                    person,
                    head=replace(person.head, style=style, headgear=headgear),
                    bag=replace(person.bag, kind=bag),
                    bottom=replace(person.bottom, cut=cut),
                )
                shapes = shapes_of(dressed)
                names = {part.name for part in parts_of(dressed, shapes, Gait(1.0, 0.3, 0.3))}
                assert names <= set(shapes)
                assert ("bag" in names) == (bag != "none")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pattern_is_a_mask(pattern):
    surface = Surface(material(0, 0, 0, 0), 0.6, 0.14)
    mask = np.broadcast_to(PATTERNS[pattern](surface, 0.08), (ROWS, COLUMNS))
    assert mask.min() >= 0
    assert mask.max() <= 1
    assert (pattern == "plain") == (mask.max() == 0)


@pytest.mark.parametrize("shape", LOGOS)
def test_logo_stays_where_it_is_put(shape):
    surface = Surface(material(0, 0, 0, 0), 0.6, 0.14)
    mask = logo(surface, shape, 0.08, angle=np.pi, height=0.25)
    rows, columns = np.nonzero(mask > 0.5)
    assert len(rows) > 40
    assert abs(surface.y[rows, 0] - 0.25).max() < 0.11
    assert abs(surface.theta[0, columns]).min() > np.pi / 2


@pytest.mark.parametrize("scene", SCENES)
def test_scene_is_the_same_place_in_both_spectra(scene):
    visible, infrared = paint_scene(scene, 1, 0, 1.0), paint_scene(scene, 1, 1, 1.0)
    assert visible.shape[:2] == infrared.shape[:2]
    assert (visible.shape[2], infrared.shape[2]) == (3, 1)
    assert visible.std() > 0.03
