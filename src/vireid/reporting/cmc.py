"""Cumulative matching characteristics as a table of columns and as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from vireid.reporting.style import COLOURS, figure_file
from vireid.retrieval.evaluation import Evaluation
from vireid.support.files import replacing

_DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (5, 2, 1, 2)))


def write_cmc(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Write `rank` and one column for each protocol: mean over trials, percent.

    A protocol with fewer ranks than another goes on at 100: by then every query with a match has met it.
    """
    length = max(evaluation.cmc.shape[1] for evaluation in evaluations)
    columns = {"rank": np.arange(1, length + 1)}
    for evaluation in evaluations:
        curve = 100 * evaluation.cmc.mean(axis=0)
        columns[_column(evaluation)] = np.pad(curve, (0, length - len(curve)), constant_values=100)
    with replacing(path) as partial:
        pd.DataFrame(columns).to_csv(partial, index=False, float_format="%.4f", lineterminator="\n")


def _column(evaluation: Evaluation) -> str:
    return "_".join(evaluation.protocol.name.split("/")[1:])


def draw_cmc(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Draw the curves of all protocols down to the largest reported rank.

    The colour tells the mode (middle part of the protocol's name), the dash its shots (last part).
    """
    modes = list(dict.fromkeys(evaluation.protocol.name.split("/")[-2] for evaluation in evaluations))
    shots = list(dict.fromkeys(evaluation.protocol.name.split("/")[-1] for evaluation in evaluations))
    last = max(max(evaluation.ranks) for evaluation in evaluations)
    with figure_file(path, 6.4, 4.4) as figure:
        axes = figure.subplots()
        for evaluation in sorted(evaluations, key=lambda evaluation: -evaluation.means["mAP"]):
            *_, mode, shot = evaluation.protocol.name.split("/")
            curve = 100 * evaluation.cmc.mean(axis=0)[:last]
            axes.plot(
                np.arange(1, len(curve) + 1),
                curve,
                color=COLOURS[modes.index(mode) % len(COLOURS)],
                linestyle=_DASHES[shots.index(shot) % len(_DASHES)],
                marker="o",
                markersize=3,
                label=f"{mode}, {shot}: rank-1 {curve[0]:.1f}, mAP {100 * evaluation.means['mAP']:.1f}".replace(
                    "_", " "
                ),
            )
        axes.set(xlabel="rank", ylabel="queries found (%)", xlim=(0.5, last + 0.5), ylim=(0, 102))
        axes.set_xticks([1, *range(5, last + 1, 5)] if last >= 5 else range(1, last + 1))
        axes.set_title(f"Cumulative matching, {evaluations[0].protocol.dataset}")
        axes.legend(loc="lower right", handlelength=3)
