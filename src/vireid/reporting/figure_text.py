"""Text in figures: characters that no font has are escaped, and names are fitted to the place they have."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache, partial

from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

from vireid.support.text import escaped, fold, printable

# matplotlib brings the first; of the others, for what it lacks, those that the machine has are used.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Droid Sans Fallback",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Arial Unicode MS",
)
_WEIGHTS = ("normal", "bold")


@cache
def font_families() -> tuple[str, ...]:
    """Name the fonts that figures are drawn with; each is asked for the characters that those before it lack."""
    installed = set(fontManager.get_font_names())
    return tuple(family for family in _FAMILIES if family in installed)


@cache
def _characters(family: str) -> frozenset[int]:
    """List the code points that a font has in both weights."""
    faces = (get_font(findfont(FontProperties(family=family, weight=weight))) for weight in _WEIGHTS)
    return frozenset.intersection(*(frozenset(face.get_charmap()) for face in faces))


def drawable(text: str) -> str:
    r"""Escape what cannot be drawn, as `\u4e2d`; lines stay lines."""
    return "".join(
        character if character == "\n" or _is_drawable(character) else escaped(character) for character in text
    )


def _is_drawable(character: str) -> bool:
    return character.isprintable() and any(ord(character) in _characters(family) for family in font_families())


@dataclass(frozen=True)
class Place:
    """The room that a name has in a figure.

    Attributes:
        width: Inches.
        lines: As many at most.
        size: Of the type, points.
        dpi: Pixels per inch of the figure: letters are whole pixels apart.
        weight: `normal` or `bold`.
    """

    width: float
    lines: int
    size: float
    dpi: int
    weight: str = "normal"


def fitted(name: str, place: Place) -> str:
    """Break a name into lines, and shorten it from its front where they are too many: the end tells names apart.

    Args:
        name: Any text; a user's line breaks are escaped.
        place: The room for it.
    """
    text = drawable(printable(name))
    length = partial(_length, place=place, renderer=RendererAgg(1, 1, place.dpi))

    def broken(start: int) -> list[str]:
        return fold(f"…{text[start:]}" if start else text, place.width, length)

    start = bisect_left(range(len(text)), True, key=lambda start: len(broken(start)) <= place.lines)
    return "\n".join(broken(start))


def _length(text: str, place: Place, renderer: RendererAgg) -> float:
    """Measure a text in inches."""
    font = FontProperties(family=list(font_families()), size=place.size, weight=place.weight)
    width, _, _ = renderer.get_text_width_height_descent(text, font, ismath=False)
    return float(width) / place.dpi
