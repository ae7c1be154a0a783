"""Names fitted to the place that they have in a figure. CPU, seconds."""

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vireid.reporting import figure_text as texts
from vireid.reporting.figure_text import Place, drawable, fitted

NAMES = [
    "cam1/0441/0002.jpg",
    "a_very_long_folder/another/IMG_20240101_123456_burst.jpg",
    "W" * 40,
    "i" * 200,
    "\u4e2d" * 30,
    "x$_$y.jpg",
]


@pytest.mark.parametrize("weight", ["normal", "bold"])
@pytest.mark.parametrize("lines", [1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_no_line_is_longer_than_its_place_and_the_end_of_the_name_stays(name, lines, weight):
    shown = fitted(name, Place(1, lines, 7, 130, weight)).split("\n")
    assert len(shown) <= lines
    figure = Figure(dpi=130)
    FigureCanvasAgg(figure)
    for line in shown:
        written = figure.text(0, 0, line, fontsize=7, weight=weight, parse_math=False)
        assert written.get_window_extent().width <= 131
    assert "".join(shown).lstrip("\N{HORIZONTAL ELLIPSIS}") in drawable(name)
    assert drawable(name).endswith(shown[-1].lstrip("\N{HORIZONTAL ELLIPSIS}"))


def test_name_that_fits_is_left_as_it_is():
    assert fitted("cam1/0001.jpg", Place(3, 1, 7, 130)) == "cam1/0001.jpg"


def test_what_no_font_has_is_escaped_and_a_line_break_stays():
    assert drawable("\ue000\u2713 \u00e9\nb\x07") == "\\ue000\u2713 \u00e9\nb\\x07"


def test_installed_fonts_are_asked_for_what_the_first_one_lacks(monkeypatch):
    families = ("DejaVu Sans", "STIXGeneral")  # both come with matplotlib
    only_in_the_second = min(set.difference(*(set(texts._characters(family)) for family in reversed(families))))
    assert drawable(chr(only_in_the_second)) != chr(only_in_the_second)
    monkeypatch.setattr(texts, "font_families", lambda: families)
    assert drawable(chr(only_in_the_second)) == chr(only_in_the_second)
