"""What all figures share: type, colours, and files that repeat bit for bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from vireid.reporting.figure_text import drawable, font_families

INK = "#1f2933"
FAINT = "#7b8794"
# Okabe and Ito's colours, told apart by readers of every colour vision; yellow is left out (too light on white).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))
_STYLE = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e7eb",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.linewidth": 1.8,
    "legend.frameon": False,
    "text.parse_math": False,  # names may hold dollar signs
}


@contextmanager
def figure_file(
    path: Path, width: float, height: float, dpi: int = 160, layout: Literal["constrained", "none"] = "constrained"
) -> Iterator[Figure]:
    """Yield an empty figure and save it as PNG; a user's own matplotlib settings do not change it.

    Texts are drawn as they are: a dollar sign begins no formula, and what no font has is escaped.

    Args:
        path: The file to write.
        width: Inches.
        height: Inches.
        dpi: Pixels per inch.
        layout: matplotlib's layout engine; `none` for a figure that places its axes itself.
    """
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        style: Any = _STYLE | {"font.family": list(font_families())}  # the stubs list every key
        matplotlib.rcParams.update(style)
        figure = Figure(figsize=(width, height), layout=cast(Any, layout))  # the stubs lack "none"
        yield figure
        for text in figure.findobj(Text):
            text.set_text(drawable(text.get_text()))
        figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})
