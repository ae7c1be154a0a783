"""Histograms of distances: how far pairs of one identity lie from pairs of two, within and across the spectra."""

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from vireid.datasets.protocol import Protocol
from vireid.reporting.nothing_to_show import NothingToShow
from vireid.reporting.style import COLOURS, INK, figure_file
from vireid.retrieval.features import Features
from vireid.retrieval.pairs import Pairs, pairs_of

_MOST_IMAGES = 2000  # of each modality: two million pairs, which a histogram shows as well as all
_BINS = 60
_ALL_EQUAL = 1e-6  # spread of the distances as a share of the largest: no more than float32 rounds
_SAME, _DIFFERENT = COLOURS[0], COLOURS[1]


def draw_distances(path: Path, features: Features, protocol: Protocol) -> None:
    """Draw the distances of pairs of one and of two identities, one panel for each pair of spectra.

    Args:
        path: The figure.
        features: What was evaluated.
        protocol: Says which distance is meant.

    Raises:
        NothingToShow: If there are not two images of one identity and two of different ones, or distances are
            beyond float32.
    """
    kinds = pairs_of(features, protocol, _MOST_IMAGES)
    if not kinds:
        raise NothingToShow("there are no two images of one identity beside an image of another")
    every = [values for pairs in kinds for values in (pairs.same, pairs.different)]
    least, largest = min(map(np.min, every)), max(map(np.max, every))
    if not np.isfinite(largest):
        raise NothingToShow("there are distances that are too large for float32")
    if largest - least <= _ALL_EQUAL * largest:  # also where all are 0
        least, largest = max(0, least - 0.5), largest + 0.5  # one bar, where the distances are
    edges = np.linspace(least, largest, _BINS + 1)
    with figure_file(path, 3.6 * len(kinds), 3.0) as figure:
        grid = figure.subplots(1, len(kinds), sharex=True, sharey=True, squeeze=False)[0]
        for axes, pairs in zip(grid, kinds, strict=True):
            _draw_panel(axes, pairs, edges)
        unit = " of unit vectors" if protocol.normalise else ""
        figure.supxlabel(f"{protocol.distance} distance{unit}", fontsize=10)
        grid[0].set_ylabel("share of the pairs")
        grid[0].legend(loc="upper left", fontsize=9, handlelength=1.2)


def _draw_panel(axes: Axes, pairs: Pairs, edges: np.ndarray) -> None:
    first, second = (modality.group for modality in pairs.modalities)
    axes.set_title(f"within {first}" if first == second else f"{first} to {second}")
    for values, colour, label in (
        (pairs.same, _SAME, "same identity"),
        (pairs.different, _DIFFERENT, "different identities"),
    ):
        weights = np.full(len(values), 1 / len(values))
        histogram = partial(axes.hist, values, color=colour, weights=weights, bins=edges.tolist())
        histogram(histtype="stepfilled", alpha=0.25)
        histogram(histtype="step", linewidth=1.5, label=label)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    # Above the axes' top edge, where no histogram reaches.
    axes.margins(y=0.35)
    axes.text(
        0.98,
        0.97,
        f"same is closer: {100 * pairs.separation:.1f} %",
        transform=axes.transAxes,
        ha="right",
        va="top",
        fontsize=9,
        color=INK,
    )
