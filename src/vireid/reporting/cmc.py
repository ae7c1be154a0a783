"""Cumulative matching characteristics as a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vireid.reporting.style import COLOURS, DASHES, figure_file
from vireid.retrieval.evaluation import Evaluation


def draw_cmc(path: Path, evaluations: Sequence[Evaluation]) -> None:
    """Draw the curves of all protocols down to the largest reported rank.

    The colour tells the second part of a protocol's name (the mode or direction), the dash the third, if any.
    """
    parts = {evaluation.protocol.name: evaluation.protocol.name.split("/")[1:] for evaluation in evaluations}
    modes, shots = (list(dict.fromkeys(part[place] for part in parts.values())) for place in (0, -1))
    last = max(max(evaluation.ranks, default=evaluation.cmc.shape[1]) for evaluation in evaluations)
    with figure_file(path, 6.4, 3.9 + 0.22 * len(evaluations)) as figure:
        axes = figure.subplots()
        for evaluation in sorted(evaluations, key=lambda evaluation: -evaluation.means["mAP"]):
            name = parts[evaluation.protocol.name]
            curve = 100 * evaluation.cmc.mean(axis=0)[:last]
            axes.plot(
                np.arange(1, len(curve) + 1),
                curve,
                color=COLOURS[modes.index(name[0]) % len(COLOURS)],
                linestyle=DASHES[shots.index(name[-1]) % len(DASHES)],
                marker="o",
                markersize=3,
                clip_on=False,
                label=f"{', '.join(name).replace('_', ' ')}: rank-1 {curve[0]:.1f}, "
                f"mAP {100 * evaluation.means['mAP']:.1f}",
            )
        axes.set(xlabel="rank", ylabel="queries found (%)", xlim=(0.5, last + 0.5), ylim=(0, 100))
        axes.set_xticks([1, *range(5, last + 1, 5)] if last >= 5 else range(1, last + 1))
        axes.set_title(f"Cumulative matching, {evaluations[0].protocol.dataset}")
        figure.legend(loc="outside lower left", handlelength=3)  # no place inside is free for all curves
