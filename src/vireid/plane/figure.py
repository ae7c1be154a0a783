"""Embeddings in the plane, a panel for each loss."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from vireid.data.records import Modality
from vireid.reporting.style import COLOURS, INK, figure_file

_MARKERS = {Modality.VISIBLE: "o", Modality.INFRARED: "x"}
_PANEL = 3.4  # inches
_REACH = 1.08  # of the farthest point from the origin


def draw_planes(path: Path, points: pd.DataFrame, titles: dict[str, str]) -> None:
    """Draw one panel beside the other, each around the origin and with one unit for both axes.

    Args:
        path: The picture to write.
        points: Columns loss, pid, spectrum, x and y.
        titles: What stands above the panel of a loss, in their order.
    """
    with figure_file(path, _PANEL * len(titles), _PANEL + 0.9) as figure:
        panels = figure.subplots(1, len(titles), squeeze=False)[0]
        for axes, (loss, title) in zip(panels, titles.items(), strict=True):
            _draw_panel(axes, points[points["loss"] == loss])
            axes.set_title(title)
        spectra = [
            Line2D([], [], color=INK, marker=marker, linestyle="", label=modality.group)
            for modality, marker in _MARKERS.items()
        ]
        people = [
            Line2D([], [], color=colour, marker="s", linestyle="", label=f"identity {pid}")
            for pid, colour in _colours(points).items()
        ]
        figure.legend(
            handles=[*spectra, *people], loc="outside lower center", ncols=len(spectra) + len(people), fontsize=9
        )


def _draw_panel(axes: Axes, points: pd.DataFrame) -> None:
    for pid, colour in _colours(points).items():
        for modality, marker in _MARKERS.items():
            chosen = points[(points["pid"] == pid) & (points["spectrum"] == modality.group)]
            axes.scatter(chosen["x"], chosen["y"], c=colour, marker=marker, s=18, linewidths=0.9, alpha=0.75)
    reach = _REACH * float(points[["x", "y"]].abs().to_numpy().max())
    axes.set(aspect="equal", xlim=(-reach, reach), ylim=(-reach, reach))


def _colours(points: pd.DataFrame) -> dict[int, str]:
    return {pid: COLOURS[place % len(COLOURS)] for place, pid in enumerate(sorted(points["pid"].unique()))}
