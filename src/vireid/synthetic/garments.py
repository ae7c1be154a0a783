"""Painting of clothes, shoes and bags on the surfaces of a body."""

import numpy as np

from vireid.synthetic.figure import HIP, Shape
from vireid.synthetic.materials import Material, material, scaled
from vireid.synthetic.patterns import PATTERNS, logo
from vireid.synthetic.surface import Surface, Texture, inside
from vireid.synthetic.wardrobe import Bottom, Fabric, Identity, Top

REPEATING = ("stripes", "bold stripes", "pinstripes", "checks", "chessboard", "dots", "camouflage", "diamonds")
"""Patterns that go on over sleeves; the others are laid out for the trunk."""
METAL = material(0.62, 0.62, 0.60, 0.55)


def paint_clothes(identity: Identity, shapes: dict[str, Shape]) -> dict[str, Texture]:
    """Paint every part of a person below the neck.

    Args:
        identity: Whose clothes.
        shapes: Their parts' shapes, which set the scale of patterns.

    Returns:
        Texture by name of part.
    """
    strap = Surface(identity.bag.fabric.accent, shapes["strap"].length, shapes["strap"].radius)
    painted = {"torso": _torso(identity, shapes["torso"]), "bag": _bag(identity, shapes["bag"]), "strap": strap}
    painted |= _arms(identity, shapes) | _legs(identity, shapes)
    return {name: surface.finish() for name, surface in painted.items()}


def dressed(fabric: Fabric, shape: Shape) -> Surface:
    """Return a surface for `shape` covered with a fabric and its pattern."""
    surface = Surface(fabric.base, shape.length, shape.radius)
    surface.paint(PATTERNS[fabric.pattern](surface, fabric.period), fabric.accent)
    return surface


def _torso(identity: Identity, shape: Shape) -> Surface:
    top = identity.top
    surface = dressed(top.fabric, shape)
    for item in top.logos:
        height = min(0.24, shape.length * 0.5)
        figure = logo(surface, item.shape, item.size, np.pi if item.at_back else 0.0, height)
        surface.paint(figure, item.material)
    _paint_front(surface, top, identity.head.skin)
    surface.shade(1 - 0.22 * inside(surface.y - surface.length + 0.022))
    _paint_straps(surface, identity)
    _fold(surface, 0.07)
    surface.shade(1 - 0.25 * np.exp(-((surface.y / 0.035) ** 2)) * (np.cos(surface.theta) > 0))
    return surface


def _paint_front(surface: Surface, top: Top, skin: Material) -> None:
    """Paint what runs down the middle of the chest, and the collar."""
    x, y = np.abs(surface.x), surface.y
    front = np.abs(surface.theta) < np.pi / 2
    if top.front == "open":
        surface.paint(inside(0.035 + 0.09 * y - x) * front, top.inner)
    elif top.front == "zip":
        surface.paint(inside(0.012 - x), top.inner)
    elif top.front == "buttons":
        surface.shade(1 - 0.35 * inside(0.005 - np.abs(surface.x - 0.025)))
        spot = np.sqrt(x**2 + ((y + 0.02) % 0.09 - 0.045) ** 2)
        surface.paint(inside(0.013 - spot), top.inner)
    if top.front in ("closed", "open"):
        surface.paint(inside(0.045 - y - x * 0.5) * front, skin)
    else:
        surface.paint(inside(0.05 - y - x * 0.1) * inside(x - 0.016), scaled(top.fabric.base, 0.8))


def _paint_straps(surface: Surface, identity: Identity) -> None:
    bag = identity.bag
    side = 1.0 if bag.left else -1.0
    if bag.kind == "backpack":
        straps = inside(0.021 - np.abs(np.abs(surface.x) - 0.095)) * inside(0.34 - surface.y)
    elif bag.kind == "sling":
        straps = inside(0.022 - np.abs(surface.y - 0.26 - 0.25 * side * np.sin(surface.theta)))
    else:
        return
    surface.paint(straps, bag.fabric.accent)


def _arms(identity: Identity, shapes: dict[str, Shape]) -> dict[str, Surface]:
    top, skin = identity.top, identity.head.skin
    cloth = _sleeve_fabric(top)
    upper, fore = dressed(cloth, shapes["upper arm"]), dressed(cloth, shapes["forearm"])
    hand = Surface(skin, shapes["hand"].length, shapes["hand"].radius)
    bare_above = {"none": 0.06, "short": 0.70}.get(top.sleeve, 2.0)
    bare_below = {"none": 0.0, "short": 0.0, "elbow": 0.12}.get(top.sleeve, 0.90)
    upper.shade(1 - 0.2 * inside(0.02 - np.abs(upper.y - upper.length * bare_above)))
    fore.shade(1 - 0.25 * inside(fore.y - fore.length * (bare_below - 0.1)))
    upper.paint(inside((upper.v - bare_above) * upper.length), skin)
    fore.paint(inside((fore.v - bare_below) * fore.length), skin)
    _fold(upper, 0.05)
    _fold(fore, 0.06)
    return {"upper arm": upper, "forearm": fore, "hand": hand}


def _sleeve_fabric(top: Top) -> Fabric:
    fabric = top.fabric
    pattern = fabric.pattern if fabric.pattern in REPEATING else "plain"
    if not top.accent_sleeves:
        return Fabric(fabric.base, fabric.accent, pattern, fabric.period)
    return Fabric(fabric.accent, fabric.base, "plain", fabric.period)


def _legs(identity: Identity, shapes: dict[str, Shape]) -> dict[str, Surface]:
    bottom, shoes = identity.bottom, identity.shoes
    stature = identity.build.stature
    pelvis = dressed(_leg_fabric(bottom, is_lower=False), shapes["pelvis"])
    skirt = dressed(bottom.fabric, shapes["skirt"])
    skirt.shade(1 + 0.10 * np.sin(skirt.theta * 9) * skirt.v)
    thigh = dressed(_leg_fabric(bottom, is_lower=False), shapes["thigh"])
    shin = dressed(_leg_fabric(bottom, is_lower=True), shapes["shin"])
    _crease(thigh, at=0.95)
    _crease(shin, at=0.05)
    _crease(shin, at=0.92)
    if bottom.cut in ("shorts", "skirt"):
        hem = HIP if bottom.cut == "skirt" else bottom.hem
        thigh.paint(inside(thigh.y - (HIP - hem) * stature), bottom.legwear)
        shin.paint(inside(shin.y - (HIP - hem) * stature + thigh.length), bottom.legwear)
    if shoes.shaft > 0 and bottom.cut in ("skinny", "shorts", "skirt"):
        boot = shin.y - shin.length + shoes.shaft * stature
        shin.paint(inside(boot), shoes.upper)
        shin.paint(inside(boot) * inside(0.025 - boot), shoes.sole)
    shoe = Surface(shoes.upper, shapes["shoe"].length, shapes["shoe"].radius)
    shoe.paint(inside(shoe.y - shoe.length * 0.92), shoes.sole)
    sole = Surface(shoes.sole, shapes["sole"].length, shapes["sole"].radius)
    return {"pelvis": pelvis, "skirt": skirt, "thigh": thigh, "shin": shin, "shoe": shoe, "sole": sole}


def _leg_fabric(bottom: Bottom, *, is_lower: bool) -> Fabric:
    """The fabric of one section of a leg; a skirt's pattern stays off the legs, a lower half means the shins."""
    fabric = bottom.fabric
    if bottom.cut == "skirt":
        return Fabric(fabric.base, fabric.accent, "plain", fabric.period)
    if fabric.pattern == "lower half":
        return Fabric(fabric.accent if is_lower else fabric.base, fabric.accent, "plain", fabric.period)
    if fabric.pattern == "side panels":
        return Fabric(fabric.base, fabric.accent, fabric.pattern, fabric.period * 0.5)
    return fabric


def _bag(identity: Identity, shape: Shape) -> Surface:
    surface = dressed(identity.bag.fabric, shape)
    surface.shade(1 - 0.3 * inside(0.006 - np.abs(surface.v - 0.33) * surface.length))
    if identity.bag.kind == "backpack":
        pocket = np.abs(surface.theta)
        surface.shade(1 - 0.3 * inside(0.007 - np.abs(pocket - 2.3) * 0.1) * (surface.v > 0.5))
        surface.shade(1 - 0.3 * inside(0.007 - np.abs(surface.v - 0.52) * surface.length) * (pocket > 2.3))
    else:
        surface.paint(inside(0.014 - np.sqrt(surface.x**2 + (surface.y - surface.length * 0.33) ** 2)), METAL)
    return surface


def _fold(surface: Surface, strength: float) -> None:
    """Shade soft diagonal folds, the same for every garment: they belong to cloth, not to a person."""
    slant = np.sin(surface.v * 11 + 2.2 * np.cos(surface.theta * 2)) * np.sin(surface.theta * 3 + surface.v * 5)
    surface.shade(1 + strength * slant * (0.4 + 0.6 * surface.v))


def _crease(surface: Surface, at: float) -> None:
    """Shade the wrinkles around a joint at a fraction of the way down."""
    near = np.exp(-(((surface.v - at) / 0.18) ** 2))
    surface.shade(1 + 0.05 * near * np.sin(surface.v * 45 + surface.theta * 2))
