"""Colour must say nothing about near-infrared; pattern geometry must survive. NumPy on a CPU, seconds."""

import numpy as np
import pytest

from vireid.synthetic.draws import Draw, Purpose
from vireid.synthetic.materials import (
    CLOTH_COLOURS,
    INFRARED,
    PATTERN_SURVIVAL,
    SOBER_COLOURS,
    draw_cloth,
    draw_contrasting_cloth,
    draw_hair,
    draw_skin,
)
from vireid.synthetic.wardrobe import draw_identity

COUNT = 8000
LUMINANCE = np.array([0.299, 0.587, 0.114])


@pytest.fixture
def draw():
    return Draw(3, Purpose.IDENTITY)


def luminance(materials):
    return materials[:, :INFRARED] @ LUMINANCE


def correlation(materials):
    return abs(np.corrcoef(luminance(materials), materials[:, INFRARED])[0, 1])


@pytest.mark.parametrize("kind", [draw_cloth, draw_skin, draw_hair])
def test_luminance_is_independent_of_infrared(draw, kind):
    assert correlation(np.array([kind(draw) for _ in range(COUNT)])) < 0.04


@pytest.mark.parametrize("colours", [CLOTH_COLOURS, SOBER_COLOURS])
def test_contrasting_cloth_is_independent_of_infrared(draw, colours):
    bases = [draw_cloth(draw, colours) for _ in range(COUNT)]
    accents = np.array([draw_contrasting_cloth(draw, base, colours) for base in bases])
    assert correlation(accents) < 0.04
    visible = luminance(accents) - luminance(np.array(bases))
    infrared = accents[:, INFRARED] - np.array(bases)[:, INFRARED]
    kept = infrared != 0
    assert abs(np.mean((visible > 0)[kept] == (infrared > 0)[kept]) - 0.5) < 0.03
    assert abs(np.corrcoef(visible, infrared)[0, 1]) < 0.04
    assert abs(np.mean(kept) - PATTERN_SURVIVAL) < 0.015


def test_materials_of_a_crowd_are_independent_of_infrared():
    people = [draw_identity(3, pid) for pid in range(1500)]
    worn = [m for p in people for m in (p.top.fabric.base, p.bottom.fabric.base, p.shoes.upper, p.bag.fabric.base)]
    assert correlation(np.array(worn)) < 0.05
    assert max(correlation(np.array([p.head.hair for p in people])), 0) < 0.08


def test_materials_stay_in_range(draw):
    materials = np.array([draw_cloth(draw) for _ in range(COUNT)])
    assert materials.shape == (COUNT, 4)
    assert materials.dtype == np.float32
    assert 0 <= materials.min() <= materials.max() <= 1
