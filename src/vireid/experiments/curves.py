"""Curves of several experiments in one picture: mean over the runs, and a band from the least to the largest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from vireid.reporting.style import COLOURS, DASHES, figure_file
from vireid.support.files import replacing

_FEW_PLACES = 12  # up to here each is named on the horizontal axis
_SHORT = 42  # characters of labels of which two stand side by side in the legend
_FEW_POINTS = 30  # up to here each gets a dot
_HEADROOM = 1.05  # what the axis shows, of the largest value


@dataclass(frozen=True)
class Diagram:
    """What stands around the lines, and which of their values the legend tells.

    Attributes:
        title: Heading.
        across: Label of the horizontal axis, whose values are whole numbers, or numbers of `places` from 0.
        up: Label of the vertical axis, which shows zero and every value.
        told: Which value of a line the legend goes by and tells, as the last (-1) or the first (0); None for none.
        places: Names of the places on the horizontal axis, where they are no numbers.
    """

    title: str
    across: str
    up: str
    told: int | None
    places: Sequence[str] | None = None


def draw_curves(path: Path, curves: Mapping[str, Sequence[pd.Series]], diagram: Diagram) -> None:
    """Draw one line for each name.

    Args:
        path: The figure to write, PNG.
        curves: Name -> curves of its runs, each indexed by what is drawn across.
        diagram: What stands around them.
    """
    told, places = diagram.told, diagram.places
    tables = {name: pd.concat(parts, axis=1) for name, parts in curves.items()}
    names = order = list(tables)
    if told is not None:
        order = sorted(tables, key=lambda name: -tables[name].mean(axis=1).iloc[told])
    columns = 2 if all(len(name) <= _SHORT for name in names) else 1
    lines = -(-len(names) // columns)
    with replacing(path) as partial, figure_file(partial, 8, 4.2 + 0.2 * lines) as figure:
        axes = figure.subplots()
        for name in order:
            mean, number = tables[name].mean(axis=1), names.index(name)
            colour = COLOURS[number % len(COLOURS)]
            axes.plot(
                mean.index,
                mean,
                color=colour,
                linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
                marker="o" if len(mean) <= _FEW_POINTS else None,
                markersize=3,
                clip_on=False,
                label=name if told is None else f"{name}: {mean.iloc[told]:.1f}",
            )
            axes.fill_between(
                mean.index,
                tables[name].min(axis=1),
                tables[name].max(axis=1),
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        axes.set(xlabel=diagram.across, ylabel=diagram.up, title=diagram.title)
        values = np.concatenate([table.to_numpy().ravel() for table in tables.values()])
        axes.set_ylim(_HEADROOM * np.nanmin(values, initial=0), _HEADROOM * np.nanmax(values, initial=0) or 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        numbered = sorted({place for table in tables.values() for place in table.index})
        if places is not None:
            axes.set_xticks(range(len(places)), places)
        elif len(numbered) <= _FEW_PLACES:
            axes.set_xticks(numbered)
        repeated = any(table.shape[1] > 1 for table in tables.values())
        figure.legend(
            loc="outside lower left",
            ncols=columns,
            fontsize=8.5,
            handlelength=4,
            title="mean of the runs; the band is from the lowest to the highest" if repeated else None,
            title_fontsize=8.5,
            alignment="left",
        )
