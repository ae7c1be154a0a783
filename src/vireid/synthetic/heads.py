"""Painting of heads: face, hair and what is worn on it."""

import numpy as np

from vireid.synthetic.figure import Shape
from vireid.synthetic.garments import dressed
from vireid.synthetic.materials import Material, material, scaled
from vireid.synthetic.surface import Mask, Surface, Texture, inside
from vireid.synthetic.wardrobe import Head, Identity, Top

HAIRLINES = {
    "bald": ([0.0, 1.3, 1.6, np.pi], [-0.5, -0.5, -0.5, -0.5]),
    "crop": ([0.0, 0.6, 0.95, 1.25, 1.55, np.pi], [0.17, 0.19, 0.30, 0.50, 0.52, 0.80]),
    "full": ([0.0, 0.6, 0.95, 1.25, 1.55, np.pi], [0.25, 0.25, 0.36, 0.58, 0.62, 0.92]),
    "drawn back": ([0.0, 0.6, 1.0, 1.3, 1.55, np.pi], [0.15, 0.18, 0.30, 0.44, 0.60, 0.95]),
    "framing": ([0.0, 0.45, 0.72, 0.95, 1.2, np.pi], [0.18, 0.24, 0.50, 0.85, 1.1, 1.1]),
}
"""Fraction of the head covered by hair, from the crown down, at some angles from the front."""
HAIRLINE_OF = {"bob": "framing", "long": "framing", "ponytail": "drawn back", "bun": "drawn back", "afro": "full"}
FRAME = material(0.08, 0.08, 0.09, 0.10)


def paint_head(identity: Identity, shapes: dict[str, Shape]) -> dict[str, Texture]:
    """Paint every part of a person from the neck up.

    Args:
        identity: Whose head.
        shapes: Their parts' shapes.

    Returns:
        Texture by name of part.
    """
    painted = _face_and_neck(identity, shapes) | _hair(identity.head, shapes) | _headgear(identity.head, shapes)
    painted |= _around_neck(identity.top, shapes)
    return {name: surface.finish() for name, surface in painted.items()}


def _face_and_neck(identity: Identity, shapes: dict[str, Shape]) -> dict[str, Surface]:
    head = identity.head
    face = Surface(head.skin, shapes["head"].length, shapes["head"].radius)
    _paint_features(face, head)
    _cover(face, head, identity.top.fabric.base if head.headgear == "hood" else head.headgear_fabric.base)
    neck = Surface(_hair_or_scarf(head, head.skin), shapes["neck"].length, shapes["neck"].radius)
    neck.shade(0.80 + 0.10 * neck.v)
    return {"head": face, "neck": neck}


def _hair(head: Head, shapes: dict[str, Shape]) -> dict[str, Surface]:
    painted = {}
    for name in ("long hair", "ponytail", "bun", "afro"):
        strands = Surface(_hair_or_scarf(head, head.hair), shapes[name].length, shapes[name].radius)
        strands.shade(1 + 0.10 * np.sin(strands.theta * 11 + np.sin(strands.v * 9)) - 0.1 * strands.v)
        painted[name] = strands
    return painted


def _headgear(head: Head, shapes: dict[str, Shape]) -> dict[str, Surface]:
    fabric = head.headgear_fabric
    crown = dressed(fabric, shapes["crown"])
    if head.headgear in ("hat", "beanie"):
        crown.paint(inside((crown.v - 0.66) * crown.length), fabric.accent)
    brim = Surface(scaled(fabric.base, 0.85), shapes["brim"].length, shapes["brim"].radius)
    return {"crown": crown, "brim": brim}


def _around_neck(top: Top, shapes: dict[str, Shape]) -> dict[str, Surface]:
    base = top.fabric.base
    scarf = Surface(base if top.scarf is None else top.scarf, shapes["scarf"].length, shapes["scarf"].radius)
    scarf.shade(1 + 0.12 * np.sin(scarf.v * 14 + scarf.theta))
    hood = Surface(scaled(base, 0.92), shapes["hood"].length, shapes["hood"].radius)
    hood.shade(1.05 - 0.35 * inside(0.02 - hood.y))
    return {"scarf": scarf, "hood": hood}


def _hair_or_scarf(head: Head, uncovered: Material) -> Material:
    """What is seen where a headscarf would hang down: its cloth, or else `uncovered`."""
    return head.headgear_fabric.base if head.headgear == "headscarf" else uncovered


def _paint_features(face: Surface, head: Head) -> None:
    """Paint sockets, nose, jaw, beard, mouth, eyes, brows, ears and glasses, in this order."""
    x, v = face.x, face.v
    across = np.abs(x)
    from_eye, below_eye = across - 0.030, (v - 0.47) * face.length
    face.shade(1 - 0.16 * _bump(from_eye / 0.020) * _bump(below_eye / 0.016))
    face.shade(1 + 0.10 * _bump(x / 0.012) * _bump((v - 0.57) / 0.10))
    face.shade(1 - 0.22 * _bump(x / 0.016) * _bump((v - 0.68) / 0.03))
    face.shade(1 - 0.18 * np.clip((v - 0.80) * 4, 0, 1))
    if head.beard:
        jaw = inside((v - 0.66 - 0.05 * (across < 0.02)) * face.length) * inside(0.115 - across)
        face.paint(0.8 * jaw, head.hair)
    face.shade(1 - 0.40 * _bump(x / 0.026) * _bump((v - 0.785) / 0.028))
    face.shade(1 - 0.70 * _bump(from_eye / 0.013) * _bump(below_eye / 0.007))
    face.paint(0.65 * _bump(from_eye / 0.018) * _bump((below_eye + 0.020) / 0.006), scaled(head.hair, 0.8))
    face.shade(1 - 0.25 * _bump((np.abs(face.theta) - 1.5) / 0.12) * _bump((v - 0.52) / 0.10))
    if head.glasses:
        rim = np.abs(np.sqrt(from_eye**2 + (below_eye * 1.25) ** 2) - 0.021)
        temple = inside(0.004 - np.abs(below_eye)) * inside(across - 0.048) * inside(0.14 - across)
        face.paint(np.maximum(inside(0.005 - rim), temple), FRAME)


def _cover(surface: Surface, head: Head, wrap: Material) -> None:
    """Paint hair, or the cloth of a hood or headscarf, around the face."""
    if head.headgear in ("hood", "headscarf"):
        oval = (surface.theta / 0.80) ** 2 + ((surface.v - 0.58) / 0.46) ** 2
        surface.shade(1 - 0.3 * inside((oval - 0.7) * 0.05))
        surface.paint(inside((oval - 1) * 0.05), wrap)
        return
    angles, heights = HAIRLINES[HAIRLINE_OF.get(head.style, head.style)]
    hairline = np.interp(np.abs(surface.theta), angles, heights)
    surface.paint(np.clip((hairline - surface.v) * 14 + 0.5, 0, 1), head.hair)
    surface.shade(1 + 0.07 * np.sin(surface.theta * 13) * (surface.v < hairline))


def _bump(value: Mask) -> Mask:
    """A soft spot: 1 at 0, fading by about twice the unit."""
    return np.exp(-(value**2))
