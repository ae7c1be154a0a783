"""Who a person is and what they wear: everything about an identity that no camera changes."""

from dataclasses import dataclass

from vireid.synthetic.draws import Draw, Purpose
from vireid.synthetic.materials import (
    CLOTH_COLOURS,
    SOBER_COLOURS,
    Material,
    Palette,
    draw_cloth,
    draw_contrasting_cloth,
    draw_hair,
    draw_skin,
)
from vireid.synthetic.patterns import LOGOS

TOP_PATTERNS = {
    "plain": 3.0,
    "stripes": 1.2,
    "bold stripes": 1.0,
    "pinstripes": 0.6,
    "checks": 1.0,
    "chessboard": 0.3,
    "dots": 0.7,
    "camouflage": 0.6,
    "diamonds": 0.5,
    "yoke": 1.0,
    "lower half": 0.8,
    "band": 1.0,
    "side panels": 0.8,
    "halves": 0.4,
    "sash": 0.5,
}
BOTTOM_PATTERNS = {
    "plain": 7.0,
    "side panels": 1.2,
    "pinstripes": 0.5,
    "checks": 0.7,
    "camouflage": 0.7,
    "lower half": 0.5,
    "dots": 0.3,
    "stripes": 0.3,
}
BAG_PATTERNS = {"plain": 2.0, "lower half": 1.5, "bold stripes": 0.7, "side panels": 0.7, "dots": 0.3}
HAIR_STYLES = {
    "bald": 0.5,
    "crop": 2.5,
    "full": 2.0,
    "bob": 1.2,
    "long": 1.8,
    "ponytail": 1.2,
    "bun": 0.8,
    "afro": 0.5,
}
HEADGEAR = {"none": 6.0, "cap": 1.3, "beanie": 0.9, "hat": 0.5, "hood": 0.5, "headscarf": 0.5}
FRONTS = {"closed": 3.0, "zip": 1.2, "buttons": 1.0, "open": 1.2}
SLEEVES = {"none": 0.5, "short": 2.0, "elbow": 0.7, "long": 4.0}
HEMS = {0.53: 1.0, 0.485: 4.0, 0.42: 1.2, 0.33: 0.9, 0.24: 0.4}
"""Height of a top's lower edge above the ground, as a fraction of stature: from cropped to a long coat."""
CUTS = {"skinny": 1.0, "straight": 2.5, "wide": 1.0, "flared": 0.6, "shorts": 1.0, "skirt": 1.5}
BAGS = {"none": 2.0, "backpack": 1.6, "sling": 1.0, "handbag": 0.8, "tote": 0.6}


@dataclass(frozen=True)
class Build:
    """Proportions; `stature` in metres, the rest relative to an average adult.

    Attributes:
        stature: Height without shoes.
        girth: Width and depth of trunk and limbs.
        shoulders, hips: Widths on top of `girth`.
        legs: Length of the legs.
    """

    stature: float
    girth: float
    shoulders: float
    hips: float
    legs: float


@dataclass(frozen=True)
class Fabric:
    """Two materials and how they are laid out; `period` in metres is the scale of the pattern."""

    base: Material
    accent: Material
    pattern: str
    period: float


@dataclass(frozen=True)
class Logo:
    """A figure on a top; `size` is half its extent in metres."""

    shape: str
    size: float
    at_back: bool
    material: Material


@dataclass(frozen=True)
class Head:
    """Skin, hair, and what is worn on the head or grown on the face."""

    skin: Material
    hair: Material
    style: str
    beard: bool
    glasses: bool
    headgear: str
    headgear_fabric: Fabric


@dataclass(frozen=True)
class Top:
    """A shirt, jumper, jacket or coat; `hem` is its lower edge's height as a fraction of stature."""

    fabric: Fabric
    front: str
    inner: Material
    sleeve: str
    accent_sleeves: bool
    hem: float
    looseness: float
    hood: bool
    scarf: Material | None
    logos: tuple[Logo, ...]


@dataclass(frozen=True)
class Bottom:
    """Trousers, shorts or a skirt; `hem` as for `Top`, `legwear` is what covers the leg below it."""

    fabric: Fabric
    cut: str
    hem: float
    legwear: Material


@dataclass(frozen=True)
class Shoes:
    """Shoes or boots; `shaft` is the boots' height as a fraction of stature, 0 for shoes."""

    upper: Material
    sole: Material
    shaft: float


@dataclass(frozen=True)
class Bag:
    """Something carried; `size` relative to the usual, `left` is the side of the hand or hip."""

    kind: str
    fabric: Fabric
    size: float
    left: bool


@dataclass(frozen=True)
class Identity:
    """Everything that makes a person recognisable."""

    build: Build
    head: Head
    top: Top
    bottom: Bottom
    shoes: Shoes
    bag: Bag


def draw_identity(seed: int, pid: int) -> Identity:
    """Draw the person with number `pid` of the world with this seed; no other person matters to it."""
    draw = Draw(seed, Purpose.IDENTITY, pid)
    head = _draw_head(draw)
    return Identity(
        build=_draw_build(draw),
        head=head,
        top=_draw_top(draw),
        bottom=_draw_bottom(draw, head.skin),
        shoes=_draw_shoes(draw),
        bag=Bag(
            draw.weighted(BAGS),
            _draw_fabric(draw, BAG_PATTERNS, SOBER_COLOURS),
            draw.uniform(0.8, 1.25),
            draw.chance(0.5),
        ),
    )


def _draw_build(draw: Draw) -> Build:
    return Build(
        stature=draw.normal(1.71, 0.085),
        girth=draw.normal(1.0, 0.11),
        shoulders=draw.normal(1.0, 0.07),
        hips=draw.normal(1.0, 0.07),
        legs=draw.normal(1.0, 0.03),
    )


def _draw_head(draw: Draw) -> Head:
    style = draw.weighted(HAIR_STYLES)
    return Head(
        skin=draw_skin(draw),
        hair=draw_hair(draw),
        style=style,
        beard=style in ("bald", "crop", "full") and draw.chance(0.3),
        glasses=draw.chance(0.2),
        headgear="none" if style == "afro" else draw.weighted(HEADGEAR),
        headgear_fabric=_draw_fabric(draw, {"plain": 2.0, "bold stripes": 1.0, "halves": 0.4}),
    )


def _draw_top(draw: Draw) -> Top:
    fabric = _draw_fabric(draw, TOP_PATTERNS)
    hem = draw.weighted(HEMS)
    is_coat = hem < 0.4
    logo_chance = 0.6 if fabric.pattern == "plain" else 0.12
    return Top(
        fabric=fabric,
        front=draw.weighted({"zip": 1.0, "buttons": 1.5, "open": 1.5} if is_coat else FRONTS),
        inner=draw_contrasting_cloth(draw, fabric.base),
        sleeve="long" if is_coat else draw.weighted(SLEEVES),
        accent_sleeves=draw.chance(0.2),
        hem=hem + draw.uniform(-0.015, 0.015),
        looseness=draw.uniform(0.0, 1.0),
        hood=draw.chance(0.2),
        scarf=draw_contrasting_cloth(draw, fabric.base) if draw.chance(0.1) else None,
        logos=tuple(_draw_logo(draw, fabric, at_back) for at_back in (False, True) if draw.chance(logo_chance)),
    )


def _draw_logo(draw: Draw, fabric: Fabric, at_back: bool) -> Logo:
    return Logo(draw.among(LOGOS), draw.uniform(0.05, 0.105), at_back, fabric.accent)


def _draw_bottom(draw: Draw, skin: Material) -> Bottom:
    cut = draw.weighted(CUTS)
    fabric = _draw_fabric(draw, BOTTOM_PATTERNS, SOBER_COLOURS)
    hems = {"shorts": (0.27, 0.36), "skirt": (0.13, 0.36)}
    bare = cut == "shorts" or draw.chance(0.5)
    return Bottom(
        fabric=fabric,
        cut=cut,
        hem=draw.uniform(*hems.get(cut, (0.03, 0.05))),
        legwear=skin if bare else draw_contrasting_cloth(draw, fabric.base, SOBER_COLOURS),
    )


def _draw_shoes(draw: Draw) -> Shoes:
    upper = draw_cloth(draw, SOBER_COLOURS)
    shaft = draw.uniform(0.10, 0.24) if draw.chance(0.22) else 0.0
    return Shoes(upper, draw_contrasting_cloth(draw, upper, SOBER_COLOURS) if draw.chance(0.5) else upper, shaft)


def _draw_fabric(draw: Draw, patterns: dict[str, float], colours: Palette = CLOTH_COLOURS) -> Fabric:
    base = draw_cloth(draw, colours)
    accent = draw_contrasting_cloth(draw, base, colours)
    return Fabric(base, accent, draw.weighted(patterns), draw.uniform(0.06, 0.12))
