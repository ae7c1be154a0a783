"""The shapes of a person's parts: solids of revolution with an elliptic cross-section, one per part.

Heights and widths are fractions of stature here; shapes come out in metres.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vireid.synthetic.wardrobe import Identity

SAMPLES = 33
CHIN, NECK, SHOULDER, WAIST, HIP = 0.872, 0.850, 0.780, 0.63, 0.50
HAIR_VOLUME = {"bald": 0.0, "crop": 0.002, "full": 0.007, "bob": 0.006, "long": 0.006, "ponytail": 0.003}
CROWN_HEIGHT = {"cap": 0.064, "beanie": 0.064, "hat": 0.062}
TROUSER_EASE = {
    "skinny": (0.0, 0.002),
    "straight": (0.003, 0.009),
    "wide": (0.010, 0.021),
    "flared": (0.002, 0.026),
}
"""How far trousers stand off the thigh and the ankle."""


@dataclass(frozen=True)
class Shape:
    """A solid around an axis.

    Attributes:
        half_width: (SAMPLES,) metres to either side, from the start of the axis to its end.
        half_depth: (SAMPLES,) metres to front and back, likewise.
        length: Metres along the axis.
        cap: Metres by which a rounded end goes beyond the axis' ends; 0 for a part that is cut flat.
    """

    half_width: np.ndarray
    half_depth: np.ndarray
    length: float
    cap: float = 0.0

    @property
    def radius(self) -> float:
        """Mean distance from the axis, in metres."""
        return float(self.half_width.mean() + self.half_depth.mean()) / 2


def shapes_of(identity: Identity) -> dict[str, Shape]:
    """Return the shape of every part that this person may show, by the part's name."""
    stature = identity.build.stature
    shapes = _trunk(identity) | _arms(identity) | _legs(identity) | _head(identity) | _carried(identity)
    return {name: _in_metres(shape, stature) for name, shape in shapes.items()}


def _trunk(identity: Identity) -> dict[str, Shape]:
    build, top, bottom = identity.build, identity.top, identity.bottom
    loose = 0.010 * top.looseness
    knots = [
        (NECK, 0.034, 0.040),
        (0.840, 0.050, 0.045),
        (0.829, 0.072, 0.050),
        (0.815, 0.087, 0.055),
        (0.798, 0.100 * build.shoulders, 0.060),
        (0.775, 0.103 * build.shoulders, 0.064),
        (0.72, 0.099 * build.shoulders, 0.068),
        (WAIST, 0.086 + loose * 1.2, 0.060 + loose),
        (0.53, 0.097 * build.hips + loose, 0.068 + loose),
        (HIP - 0.02, 0.099 * build.hips + loose, 0.070 + loose),
        (0.20, 0.125 * build.hips + loose * 1.5, 0.100 + loose),
    ]
    flare = 0.02 + 0.12 * top.looseness
    skirt = [
        (WAIST, 0.085, 0.060),
        (0.53, 0.100 * build.hips, 0.070),
        (0.10, 0.100 * build.hips + flare * 0.43, 0.075 + flare * 0.43),
    ]
    pelvis = [
        (WAIST, 0.086, 0.060),
        (0.53, 0.099 * build.hips, 0.068),
        (0.485, 0.099 * build.hips, 0.069),
        (0.45, 0.070, 0.055),
    ]
    return {
        "torso": _lathe(knots, NECK, top.hem, build.girth),
        "pelvis": _lathe(pelvis, WAIST, 0.45, build.girth),
        "skirt": _lathe(skirt, WAIST, min(bottom.hem, 0.45), build.girth),
    }


def _arms(identity: Identity) -> dict[str, Shape]:
    girth, top = identity.build.girth, identity.top
    cloth = 0.002 + 0.007 * top.looseness
    upper = 0.0 if top.sleeve == "none" else cloth
    fore = cloth if top.sleeve == "long" else 0.0
    return {
        "upper arm": _limb([0.031 * girth + upper, 0.028 * girth + upper, 0.025 * girth + upper], 0.168, 0.028),
        "forearm": _limb([0.025 * girth + fore, 0.022 * girth + fore, 0.017 + fore], 0.150, 0.012),
        "hand": _limb([0.015, 0.019, 0.012], 0.052, 0.010),
    }


def _legs(identity: Identity) -> dict[str, Shape]:
    girth, bottom = identity.build.girth, identity.bottom
    thigh_ease, ankle_ease = TROUSER_EASE.get(bottom.cut, (0.0, 0.0))
    thigh = np.array([0.054, 0.047, 0.039]) * girth + thigh_ease
    shin = np.array([0.037, 0.040, 0.030, 0.023, 0.021]) * girth
    shin = np.maximum(shin, np.linspace(shin[0] + thigh_ease * 0.7, 0.021 * girth + ankle_ease, 5))
    if identity.shoes.shaft > 0 and bottom.cut in ("skinny", "shorts", "skirt"):
        shin[2:] += 0.006
    return {
        "thigh": _limb(thigh, 0.225 * identity.build.legs, 0.034),
        "shin": _limb(shin, 0.225 * identity.build.legs, 0.006),
        "shoe": _limb([0.023, 0.025, 0.019], 0.100, 0.020),
        "sole": _limb([0.013, 0.014, 0.012], 0.110, 0.020),
    }


def _head(identity: Identity) -> dict[str, Shape]:
    head = identity.head
    covered = head.headgear in ("hood", "headscarf")
    volume = 0.010 if covered else HAIR_VOLUME.get(head.style, 0.0)
    t = np.linspace(0, 1, SAMPLES)
    oval = np.interp(
        t, [0, 0.06, 0.18, 0.34, 0.5, 0.64, 0.78, 0.9, 1], [0.62, 0.84, 0.97, 1, 1, 0.95, 0.83, 0.62, 0.4]
    )
    hair = np.clip(1.3 - 1.6 * t, 0, 1) if not covered else np.clip(1.25 - 0.7 * t, 0, 1)
    width, depth = 0.046 * oval + volume * hair, 0.056 * oval + volume * hair
    long_hair = {"bob": 0.115, "long": 0.20}.get(head.style, 0.12)
    return {
        "head": Shape(width, depth, 0.112, 0.010),
        "neck": _limb([0.030, 0.029, 0.034], 0.065, 0.0),
        "scarf": _ball(0.052, 0.058, 0.024),
        "hood": _ball(0.062, 0.034, 0.026),
        "long hair": _limb([0.048, 0.056, 0.057, 0.053, 0.043], long_hair, 0.014),
        "ponytail": _limb([0.012, 0.020, 0.018, 0.008], 0.13, 0.008),
        "bun": _ball(0.026, 0.026, 0.024),
        "afro": _ball(0.080, 0.080, 0.070),
        "crown": _dome(0.052, 0.062, CROWN_HEIGHT.get(head.headgear, 0.058)),
        "brim": _ball(0.086, 0.096, 0.013) if head.headgear == "hat" else _ball(0.040, 0.040, 0.010),
    }


def _carried(identity: Identity) -> dict[str, Shape]:
    kind, size = identity.bag.kind, identity.bag.size
    width, depth, height = {
        "none": (0.01, 0.01, 0.02),
        "backpack": (0.082, 0.048, 0.230),
        "sling": (0.034, 0.066, 0.105),
        "handbag": (0.034, 0.076, 0.115),
        "tote": (0.038, 0.096, 0.175),
    }[kind]
    t = np.linspace(-1, 1, SAMPLES)
    rounded = (1 - t**8) ** 0.5 * 0.25 + 0.75
    if kind == "backpack":
        rounded = rounded * np.interp(t, [-1, -0.7, 0.2, 1], [0.72, 0.93, 1.0, 0.98])
    return {
        "bag": Shape(width * size * rounded, depth * size * rounded, height * size, 0.008),
        "strap": _limb([0.007, 0.007], 0.21, 0.007),
    }


def _lathe(knots: list[tuple[float, float, float]], top: float, bottom: float, girth: float) -> Shape:
    """A flat-cut shape from heights, half widths and half depths at some knots, top first."""
    heights, widths, depths = np.array(knots[::-1]).T
    at = np.linspace(top, bottom, SAMPLES)
    return Shape(np.interp(at, heights, widths) * girth, np.interp(at, heights, depths) * girth, top - bottom)


def _limb(radii: ArrayLike, length: float, cap: float) -> Shape:
    """A round shape whose radii are given at equal distances."""
    values = np.asarray(radii, dtype=np.float64)
    radius = np.interp(np.linspace(0, 1, SAMPLES), np.linspace(0, 1, len(values)), values)
    return Shape(radius, radius, length, cap)


def _ball(half_width: float, half_depth: float, half_height: float) -> Shape:
    """An ellipsoid."""
    profile = np.sqrt(1.002 - np.linspace(-1, 1, SAMPLES) ** 2)
    return Shape(half_width * profile, half_depth * profile, 2 * half_height)


def _dome(half_width: float, half_depth: float, height: float) -> Shape:
    """The upper part of an ellipsoid with a straight rim."""
    profile = np.sqrt(1.002 - np.clip(1 - np.linspace(0, 1, SAMPLES) * 1.6, 0, 1) ** 2)
    return Shape(half_width * profile, half_depth * profile, height)


def _in_metres(shape: Shape, stature: float) -> Shape:
    """Scale a shape, in steps of a hundredth of a millimetre so that all machines agree on it."""
    width, depth = (
        np.round(np.asarray(values) * stature, 5).astype(np.float32)
        for values in (shape.half_width, shape.half_depth)
    )
    return Shape(width, depth, round(shape.length * stature, 5), round(shape.cap * stature, 5))
