"""What things are made of: a colour that visible cameras see, and a reflectance that infrared ones see.

The two are drawn independently of each other, always. Dyes absorb visible light and let near-infrared
pass, so what a garment reflects there is up to its fibre; here that is taken to the letter, and no statistic
of the visible colour says anything about the infrared grey.
"""

from collections.abc import Mapping

import numpy as np

from vireid.synthetic.draws import Draw

Material = np.ndarray
"""(4,) float32 in [0, 1]: visible red, green and blue, then near-infrared reflectance."""

Colour = tuple[float, float, float]
Palette = Mapping[Colour, float]
"""Weights of colours."""

INFRARED = 3
"""Index of the near-infrared reflectance in a material."""

CLOTH_COLOURS = {
    (0.10, 0.10, 0.11): 3.0,  # black
    (0.20, 0.21, 0.23): 2.2,  # charcoal
    (0.40, 0.40, 0.41): 1.6,  # grey
    (0.63, 0.63, 0.62): 1.3,  # light grey
    (0.88, 0.87, 0.84): 2.2,  # white
    (0.13, 0.17, 0.31): 2.4,  # navy
    (0.25, 0.36, 0.54): 2.0,  # denim
    (0.50, 0.62, 0.75): 0.9,  # washed denim
    (0.72, 0.64, 0.50): 1.2,  # beige
    (0.50, 0.44, 0.30): 0.9,  # khaki
    (0.34, 0.24, 0.17): 1.0,  # brown
    (0.30, 0.33, 0.20): 0.8,  # olive
    (0.42, 0.11, 0.16): 0.7,  # burgundy
    (0.72, 0.15, 0.14): 0.7,  # red
    (0.12, 0.37, 0.25): 0.5,  # bottle green
    (0.20, 0.42, 0.70): 0.6,  # royal blue
    (0.80, 0.62, 0.20): 0.4,  # mustard
    (0.84, 0.55, 0.60): 0.5,  # pink
    (0.38, 0.26, 0.46): 0.4,  # purple
    (0.16, 0.48, 0.50): 0.4,  # teal
    (0.84, 0.42, 0.16): 0.3,  # orange
}
"""Colours of tops with their weights: mostly neutrals and blues, as in a street."""

SOBER_COLOURS = {colour: weight for colour, weight in CLOTH_COLOURS.items() if weight >= 0.8}
"""Colours of trousers, skirts, shoes and bags: the common ones alone."""

FIBRES = {
    (0.72, 0.94): 1.2,  # polyester
    (0.52, 0.82): 1.6,  # cotton
    (0.34, 0.62): 1.2,  # wool and blends
    (0.18, 0.42): 1.0,  # leather, coated nylon
    (0.07, 0.22): 1.0,  # carbon-black dye, rubber
}
"""Ranges of near-infrared reflectance by kind of fibre, with their weights; the same for every garment."""

SKIN_COLOURS = (
    (0.87, 0.69, 0.58),
    (0.82, 0.62, 0.49),
    (0.74, 0.55, 0.42),
    (0.62, 0.44, 0.32),
    (0.48, 0.32, 0.23),
    (0.36, 0.24, 0.18),
)
HAIR_COLOURS = {
    (0.09, 0.08, 0.08): 4.0,
    (0.19, 0.13, 0.10): 3.0,
    (0.34, 0.22, 0.14): 2.0,
    (0.62, 0.48, 0.28): 1.0,
    (0.48, 0.22, 0.12): 0.5,
    (0.62, 0.61, 0.60): 1.0,
}
PATTERN_SURVIVAL = 0.95
"""Probability that the two materials of a pattern differ in near-infrared too."""


def material(red: float, green: float, blue: float, infrared: float) -> Material:
    """Make a material of known values."""
    return np.array([red, green, blue, infrared], dtype=np.float32)


def draw_cloth(draw: Draw, colours: Palette = CLOTH_COLOURS) -> Material:
    """Draw a cloth: a colour out of a palette, and independently of it a fibre."""
    return material(*_jittered(draw, draw.weighted(colours), 0.04), _draw_fibre(draw))


def draw_contrasting_cloth(draw: Draw, base: Material, colours: Palette = CLOTH_COLOURS) -> Material:
    """Draw a cloth that stands out against another one, lighter or darker by chance in either spectrum.

    In near-infrared it does so with probability `PATTERN_SURVIVAL`; otherwise the two look the same there.

    Args:
        draw: Source of random values.
        base: The cloth to stand out against.
        colours: The palette, weights by colour.
    """
    colour = base[:INFRARED]
    while float(np.abs(colour - base[:INFRARED]).max()) < 0.30:
        colour = np.array(_jittered(draw, draw.weighted(colours), 0.04), dtype=np.float32)
    if draw.chance(1 - PATTERN_SURVIVAL):
        red, green, blue = colour.tolist()
        return material(red, green, blue, float(base[INFRARED]))
    infrared = float(base[INFRARED])
    while abs(infrared - float(base[INFRARED])) < 0.28:
        infrared = _draw_fibre(draw)
    red, green, blue = colour.tolist()
    return material(red, green, blue, infrared)


def draw_skin(draw: Draw) -> Material:
    """Draw a skin: its tone says nothing about its near-infrared reflectance, which varies little."""
    return material(*_jittered(draw, draw.among(SKIN_COLOURS), 0.03), draw.uniform(0.52, 0.66))


def draw_hair(draw: Draw) -> Material:
    """Draw a hair colour, and independently of it a near-infrared reflectance."""
    return material(*_jittered(draw, draw.weighted(HAIR_COLOURS), 0.02), draw.uniform(0.14, 0.46))


def scaled(base: Material, factor: float) -> Material:
    """Make a material darker or lighter in both spectra alike."""
    return np.clip(base * np.float32(factor), 0.0, 1.0)


def _draw_fibre(draw: Draw) -> float:
    return draw.uniform(*draw.weighted(FIBRES))


def _jittered(draw: Draw, colour: Colour, amount: float) -> Colour:
    shift = draw.uniform(-amount, amount)
    red, green, blue = (
        min(max(value + shift + draw.uniform(-amount, amount) / 2, 0.04), 0.95) for value in colour
    )
    return red, green, blue
