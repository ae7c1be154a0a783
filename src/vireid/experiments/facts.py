"""What stands beside each method's numbers in an overview: group of equals, size, speed of learning, commit."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from vireid.experiments.collect import RowExperiments, short_bases
from vireid.experiments.pairing import Units, groups_of_equals
from vireid.experiments.plan import Plan
from vireid.experiments.training_curves import HOLDOUT, training_curves
from vireid.methods import build_method
from vireid.support.tables import NOTHING

SHARES = {"half": 0.5, "90 %": 0.9}  # of the best held-out mAP of a run
NOTES_ON_FACTS = (
    "Groups: two rows without a common letter differ in the last metric, by the paired t test of all pairs, "
    "corrected for the number of pairs (Holm).",
    "Parameters, million, with the classifiers of a single identity; of fitted methods nothing is counted.",
    "Epochs until the held-out mAP is at half and at 90 % of its run's best, as far as it was looked at; mean.",
    "Commit: what a row's runs started from.",
)


def facts_of_methods(
    plan: Plan, collected: Mapping[str, RowExperiments], ours: Mapping[str, Units]
) -> dict[str, dict[str, str]]:
    """Put together what is told of each row.

    Args:
        plan: The table, with the parameters of all its rows.
        collected: Experiments of the rows that parameters reach.
        ours: Numbers of the rows to tell of.

    Returns:
        Row -> heading -> text.
    """
    groups = groups_of_equals(list(ours.values()), plan.grid.metrics[-1])
    curves = training_curves(plan, collected, [HOLDOUT])[HOLDOUT]
    facts = {}
    for row, group in zip(ours, groups, strict=True):
        settings, runs = plan.settings.get(row), curves.get(plan.grid.rows[row].label, [])
        facts[row] = {"group": group or NOTHING, "parameters": _parameters(settings) if settings else NOTHING}
        facts[row] |= {f"epochs to {name}": _mean_epoch(runs, share) for name, share in SHARES.items()}
        facts[row]["commit"] = _commits(collected.get(row)) or NOTHING
    return facts


def _commits(collected: RowExperiments | None) -> str:
    """Name the commits that a row's finished experiments started from."""
    return ", ".join(short_bases(collected.finished.values() if collected else []))


def _parameters(settings: Mapping[str, Any]) -> str:
    """Millions of parameters of a method, built without memory."""
    with torch.device("meta"):
        method = build_method(settings["method"], 1, settings["model"], settings["loss"], from_scratch=True)
    count = sum(parameter.numel() for parameter in method.parameters())
    return f"{count / 1e6:.2f}" if count else NOTHING


def _mean_epoch(curves: Sequence[pd.Series], share: float) -> str:
    """Mean over runs of the first epoch at which a curve is at a share of its largest value."""
    if not any(len(curve) > 1 for curve in curves):
        return NOTHING
    return f"{np.mean([curve.index[curve >= share * curve.max()][0] for curve in curves]):.0f}"
