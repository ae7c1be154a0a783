"""The rows of a comparison from the best to the worst, all their units, and the papers' numbers beside them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from vireid.experiments.comparison_table import ComparedRow, ComparisonTable
from vireid.experiments.pairing import means_of_units
from vireid.reporting.style import COLOURS, FAINT, figure_file
from vireid.support.files import replacing

_OURS, _PAPER = COLOURS[0], COLOURS[1]
_INCHES_PER_ROW = 0.26


def draw_ranked_rows(path: Path, comparison: ComparisonTable, ours_on: str, papers_on: str | None) -> None:
    """Draw the last metric of each row that has runs.

    Args:
        path: The figure to write, PNG.
        comparison: Its rows are drawn by their means, not in the table's order.
        ours_on: Protocol of our numbers.
        papers_on: Data set and protocol of the papers' numbers; needed only where there are any.
    """
    metric = comparison.metrics[-1]
    rows = sorted(
        (row for row in comparison.rows if means_of_units(row.ours, metric)),
        key=lambda row: np.mean(means_of_units(row.ours, metric)),
    )
    panels = 2 if any(metric in row.paper for row in rows) else 1
    height = 1.4 + _INCHES_PER_ROW * len(rows)
    with replacing(path) as partial, figure_file(partial, 3 + 3 * panels, height) as figure:
        ours, *papers = figure.subplots(1, panels, sharey=True, squeeze=False)[0]
        _draw_runs(ours, rows, metric)
        ours.set(title=ours_on, xlabel=f"{metric} (%): dots are seeds or trials, lines means")
        ours.set_yticks(range(len(rows)), [row.label for row in rows])
        ours.set_ylim(-0.7, len(rows) - 0.3)
        for axes in papers:
            _draw_papers(axes, rows, metric)
            axes.set(title="the papers' numbers", xlabel=f"{metric} (%), {papers_on}")


def _draw_runs(axes: Axes, rows: Sequence[ComparedRow], metric: str) -> None:
    for place, row in enumerate(rows):
        values = means_of_units(row.ours, metric)
        axes.plot(values, [place] * len(values), "o", color=_OURS, alpha=0.45, markersize=5, markeredgewidth=0)
        axes.plot([np.mean(values)] * 2, [place - 0.33, place + 0.33], color=_OURS)
    axes.set_xlim(left=0)


def _draw_papers(axes: Axes, rows: Sequence[ComparedRow], metric: str) -> None:
    for place, row in enumerate(rows):
        if metric in row.paper:
            axes.plot([row.paper[metric]], [place], "D", color=_PAPER, markersize=5)
        else:
            axes.text(0, place, "  no number", va="center", fontsize=8, color=FAINT)
    axes.set_xlim(left=0)
