"""Curves that the trainings of finished experiments recorded."""

from collections.abc import Mapping, Sequence

import pandas as pd

from vireid.experiments.collect import RowExperiments
from vireid.experiments.dvc import files_of
from vireid.experiments.plan import Plan
from vireid.reporting.training import read_curves

CURVES = "results/train/plots"
HOLDOUT = ("holdout", "mAP")


def training_curves(
    plan: Plan, collected: Mapping[str, RowExperiments], curves: Sequence[tuple[str, str]]
) -> dict[tuple[str, str], dict[str, list[pd.Series]]]:
    """Curves recorded by training, by epoch.

    Args:
        plan: The table.
        collected: Experiments of its rows.
        curves: (panel, curve), as ("holdout", "mAP").

    Returns:
        Curve -> row's label -> a list over the repetitions; rows that did not record a curve are left out.
    """
    drawn: dict[tuple[str, str], dict[str, list[pd.Series]]] = {curve: {} for curve in curves}
    for row, part in collected.items():
        for _, run in sorted(part.finished.items()):
            with files_of(run, CURVES) as folder:
                panels = read_curves(folder)
            for panel, curve in curves:
                if curve in panels.get(panel, {}):
                    label = plan.grid.rows[row].label
                    drawn[panel, curve].setdefault(label, []).append(panels[panel][curve])
    return drawn
