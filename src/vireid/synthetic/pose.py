"""Where the parts of a walking person are, in metres: x to the person's left, y up, z forward."""

import math
from dataclasses import dataclass

from vireid.synthetic.draws import Draw
from vireid.synthetic.figure import CHIN, HIP, NECK, SHOULDER, WAIST, Shape
from vireid.synthetic.wardrobe import Identity

Point = tuple[float, float, float]
WALKING, STANDING = (0.16, 0.40), (0.0, 0.07)
"""Ranges in radians of how far a leg swings."""


@dataclass(frozen=True)
class Part:
    """A shape put somewhere.

    Attributes:
        name: Name of its shape and of its texture.
        start, end: Ends of its axis.
        lift: Metres by which it counts as nearer than it is when parts are sorted by depth.
    """

    name: str
    start: Point
    end: Point
    lift: float = 0.0


@dataclass(frozen=True)
class Gait:
    """A moment of a walk: `phase` in radians, `swing` of the legs in radians, bend of the elbows in radians."""

    phase: float
    swing: float
    elbow: float


def draw_gait(draw: Draw) -> Gait:
    """Draw a moment: mostly walking, sometimes standing."""
    swing = draw.uniform(*(STANDING if draw.chance(0.2) else WALKING))
    return Gait(draw.uniform(0, 2 * math.pi), swing, draw.uniform(0.15, 0.45) + swing * 0.8)


def parts_of(identity: Identity, shapes: dict[str, Shape], gait: Gait) -> list[Part]:
    """Place every part that this person shows, feet on the ground at y = 0."""
    parts = _trunk(identity) + _head(identity, shapes)
    for left in (False, True):
        phase = gait.phase + (math.pi if left else 0.0)
        parts += _arm(identity, shapes, gait, phase, left) + _leg(identity, shapes, gait, phase, left)
    if identity.bag.kind not in ("none", "handbag"):
        parts += _bag(identity, shapes)
    lowest = min(part.end[1] for part in parts if part.name == "sole")
    sole = float(shapes["sole"].half_width.mean())
    return [_moved(part, sole - lowest) for part in parts]


def _trunk(identity: Identity) -> list[Part]:
    stature = identity.build.stature
    parts = [
        _upright("torso", stature, NECK, identity.top.hem, lift=0.04),
        _upright("pelvis", stature, WAIST, 0.45, lift=-0.105),
        _upright("neck", stature, CHIN + 0.035, NECK - 0.03, z=-0.004, lift=-0.02),
    ]
    if identity.bottom.cut == "skirt":
        parts.append(_upright("skirt", stature, WAIST, min(identity.bottom.hem, 0.45), lift=0.03))
    if identity.top.scarf is not None:
        parts.append(_upright("scarf", stature, 0.872, 0.824, z=0.006, lift=0.13))
    if identity.top.hood and identity.head.headgear != "hood":
        parts.append(_upright("hood", stature, 0.862, 0.810, z=-0.040, lift=0.045))
    return parts


def _head(identity: Identity, shapes: dict[str, Shape]) -> list[Part]:
    stature, head = identity.build.stature, identity.head
    parts = [_upright("head", stature, 0.990, 0.878, z=0.006, lift=0.10)]
    if head.headgear in ("cap", "hat", "beanie"):
        parts.append(_upright("crown", stature, 1.006, 1.006 - shapes["crown"].length / stature, lift=0.14))
    if head.headgear == "cap":
        parts.append(_upright("brim", stature, 0.958, 0.938, z=0.078, lift=0.12))
    if head.headgear == "hat":
        parts.append(_upright("brim", stature, 0.962, 0.936, lift=0.13))
    if head.headgear == "headscarf" or (head.style in ("bob", "long") and head.headgear != "hood"):
        length = {"bob": 0.115, "long": 0.20}.get(head.style, 0.12)
        parts.append(_upright("long hair", stature, 0.975, 0.975 - length, z=-0.020, lift=0.05))
    elif head.style == "ponytail" and head.headgear != "hood":
        start, end = (0.0, 0.955 * stature, -0.056 * stature), (0.0, 0.828 * stature, -0.070 * stature)
        parts.append(Part("ponytail", start, end, 0.06))
    elif head.style == "bun" and head.headgear not in ("hood", "hat"):
        parts.append(_upright("bun", stature, 0.994, 0.946, z=-0.058, lift=0.06))
    elif head.style == "afro":
        parts.append(_upright("afro", stature, 1.030, 0.890, z=-0.016, lift=0.08))
    return parts


def _arm(identity: Identity, shapes: dict[str, Shape], gait: Gait, phase: float, left: bool) -> list[Part]:
    stature, side, bag = identity.build.stature, 1 if left else -1, identity.bag
    carries = bag.kind in ("handbag", "tote") and bag.left == left
    swing = -0.85 * gait.swing * math.sin(phase) * (0.3 if carries else 1.0)
    elbow = 0.08 if carries else gait.elbow
    spread = 0.10 + 0.10 * max(identity.build.girth - 0.9, 0) + (0.09 if bag.kind == "tote" and carries else 0)
    shoulder = (side * 0.099 * identity.build.shoulders * identity.build.girth * stature, SHOULDER * stature, 0.0)
    joint = _swung(shoulder, shapes["upper arm"].length, swing, side * spread)
    wrist = _swung(joint, shapes["forearm"].length, swing + elbow, side * spread * 0.3)
    finger = _swung(wrist, shapes["hand"].length, swing + elbow * 1.2, 0.0)
    parts = [
        Part("upper arm", shoulder, joint, 0.045),
        Part("forearm", joint, wrist, 0.05),
        Part("hand", wrist, finger, 0.045),
    ]
    if bag.kind == "handbag" and carries:
        top = (finger[0], finger[1] + 0.005 * stature, finger[2])
        parts.append(Part("bag", top, (top[0], top[1] - shapes["bag"].length, top[2]), 0.06))
    return parts


def _leg(identity: Identity, shapes: dict[str, Shape], gait: Gait, phase: float, left: bool) -> list[Part]:
    stature, side = identity.build.stature, 1 if left else -1
    narrow = 0.6 if identity.bottom.cut == "skirt" or identity.top.hem < 0.4 else 1.0
    swing = gait.swing * narrow * math.sin(phase)
    bend = 0.04 + gait.swing * narrow * 1.5 * max(0.0, math.cos(phase))
    hip = (side * 0.047 * identity.build.girth * stature, HIP * stature, 0.0)
    knee = _swung(hip, shapes["thigh"].length, swing, side * 0.02)
    ankle = _swung(knee, shapes["shin"].length, swing - bend, 0.0)
    pitch = 0.06 - 0.5 * max(bend - swing - 0.2, 0.0)
    reach = shapes["shoe"].length
    heel = (ankle[0], ankle[1] - 0.016 * stature, ankle[2] - 0.012 * stature)
    toe = (
        heel[0] + side * 0.18 * reach,
        heel[1] + reach * math.sin(pitch - 0.06),
        heel[2] + reach * math.cos(pitch),
    )
    under = 0.012 * stature
    lift = -0.13 if identity.bottom.cut in ("wide", "flared") else -0.108
    return [
        Part("sole", (heel[0], heel[1] - under, heel[2]), (toe[0], toe[1] - under, toe[2]), lift - 0.01),
        Part("thigh", hip, knee, -0.12),
        Part("shin", knee, ankle, -0.115),
        Part("shoe", heel, toe, lift),
    ]


def _bag(identity: Identity, shapes: dict[str, Shape]) -> list[Part]:
    stature, bag, girth = identity.build.stature, identity.bag, identity.build.girth
    side = 1 if bag.left else -1
    length = shapes["bag"].length / stature
    if bag.kind == "backpack":
        return [_upright("bag", stature, 0.806, 0.806 - length, z=-(0.062 * girth + 0.040 * bag.size), lift=0.02)]
    if bag.kind == "sling":
        return [_upright("bag", stature, 0.560, 0.560 - length, x=side * 0.098 * girth, z=0.030, lift=0.075)]
    x = side * 0.118 * girth
    straps = [
        Part("strap", (x * 0.86 * stature, 0.802 * stature, 0.0), (x * stature, 0.59 * stature, z * stature), 0.1)
        for z in (-0.045, 0.045)
    ]
    return [*straps, _upright("bag", stature, 0.595, 0.595 - length, x=x * 1.08, lift=0.09)]


def _upright(
    name: str, stature: float, top: float, bottom: float, *, x: float = 0.0, z: float = 0.0, lift: float = 0.0
) -> Part:
    """A part with a vertical axis, its place in fractions of stature."""
    return Part(
        name, (x * stature, top * stature, z * stature), (x * stature, bottom * stature, z * stature), lift
    )


def _swung(start: Point, length: float, swing: float, spread: float) -> Point:
    """The end of a limb that hangs from `start`, swung forward and spread to the person's left, in radians."""
    return (
        start[0] + length * math.sin(spread),
        start[1] - length * math.cos(swing) * math.cos(spread),
        start[2] + length * math.sin(swing),
    )


def _moved(part: Part, up: float) -> Part:
    (x0, y0, z0), (x1, y1, z1) = part.start, part.end
    return Part(part.name, (x0, y0 + up, z0), (x1, y1 + up, z1), part.lift)
