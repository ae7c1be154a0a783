"""The finished experiments of a table's rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vireid.experiments.agreement import differing
from vireid.experiments.dvc import Experiment
from vireid.experiments.plan import Plan
from vireid.experiments.repetition import Repetition, repetition_of
from vireid.support.errors import UserError

# What may round differently; all else that the row leaves open is the same in all of its runs, or without effect.
_ROUNDING = ("compute.device", "compute.precision", "compute.threads")

_TOLD = 4  # parameters that are named, where more may differ


@dataclass
class RowExperiments:
    """Experiments of one row.

    Attributes:
        finished: One for each repetition.
        waiting: Repetitions that are queued or running.
        failed: Repetitions of which there is no more than a failed experiment.
        stale: Names of what is left out -> what is wrong with it: other parameters than the plan gives to this row
            and name, or numbers of another run.
    """

    finished: dict[Repetition, Experiment] = field(default_factory=dict)
    waiting: set[Repetition] = field(default_factory=set)
    failed: set[Repetition] = field(default_factory=set)
    stale: dict[str, str] = field(default_factory=dict)


def collect(plan: Plan, experiments: Sequence[Experiment]) -> dict[str, RowExperiments]:
    """Sort experiments by row and repetition, by what their parameters say. One may count for several rows.

    Of several finished ones that with the plan's name counts, as it was queued for the row; else the latest does.

    Args:
        plan: What the rows' parameters are.
        experiments: All there are; a finished one counts whichever commit it started from.
    """
    return {row: _of_row(plan, row, experiments) for row in plan.settings}


def _of_row(plan: Plan, row: str, experiments: Sequence[Experiment]) -> RowExperiments:
    collected, candidates = RowExperiments(), []
    names = re.compile(rf"{re.escape(plan.prefix)}-{row}-s\d+(-t\d+)?")
    for experiment in experiments:
        repetition, others = repetition_of(experiment.params), ", ".join(differing(experiment.params, plan, row))
        named = repetition is not None and experiment.name == plan.name(row, repetition)
        if repetition is not None and not others:
            if experiment.state == "partial":
                collected.stale[experiment.called] = "numbers of another run"
            else:
                candidates.append((named, experiment.timestamp, repetition, experiment))
        if names.fullmatch(experiment.name) and (others or not named):
            collected.stale[experiment.name] = f"other {others or 'seed or trial'}"
    for *_, repetition, experiment in sorted(candidates, key=lambda run: run[:2]):
        if experiment.state == "finished":
            collected.finished[repetition] = experiment
        else:
            (collected.failed if experiment.state == "failed" else collected.waiting).add(repetition)
    collected.failed -= collected.finished.keys() | collected.waiting
    return collected


def numbers(experiment: Experiment, protocol: str, result: str | None, metrics: Sequence[str]) -> dict[str, float]:
    """Read a row's metrics from an experiment.

    Args:
        experiment: A finished one.
        protocol: As `synthetic/all_search/single_shot`.
        result: Where below the protocol the numbers stand; None for the protocol's own.
        metrics: Which.

    Returns:
        Name -> percent, without ranks that were asked for but lie beyond the gallery, which evaluate leaves blank.

    Raises:
        UserError: If another one is not there.
    """
    node: Any = experiment.metrics
    for part in (*protocol.split("/"), *([result] if result else [])):
        node = node.get(part) if isinstance(node, dict) else None
    values = node if isinstance(node, dict) else {}
    blank = {f"rank{rank}" for rank in experiment.params["evaluate.ranks"]} if values else set()
    missing = [metric for metric in metrics if metric not in values and metric not in blank]
    if missing:
        raise UserError(
            f"experiment {experiment.name}",
            f"it has no {', '.join(missing)} of {protocol}" + (f", {result}" if result else ""),
            expected="the table's columns in results/metrics.json",
            found=", ".join(values) or "no such protocol",
            remedy="choose another --protocol, or add the rank to evaluate.ranks and run again",
        )
    return {metric: float(values[metric]) for metric in metrics if metric in values}


def short_bases(experiments: Iterable[Experiment]) -> list[str]:
    """The commits that experiments started from, each once, in seven digits."""
    return list(dict.fromkeys(experiment.base[:7] for experiment in experiments))


def closest(plan: Plan, experiments: Sequence[Experiment]) -> str:
    """Say which finished experiment comes closest to a row, and what keeps it from being one of it."""
    apart = [
        (differing(experiment.params, plan, row), experiment, row)
        for row in plan.settings
        for experiment in experiments
        if experiment.state == "finished"
    ]
    if not apart:
        return "There is no finished experiment at all."
    others, experiment, row = min(apart, key=lambda one: len(one[0]))
    told = [f"{key} {theirs!r} instead of {ours!r}" for key, (theirs, ours) in others.items()]
    more = f" and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
    return (
        f"Of all finished experiments {experiment.called} is closest to a row, {row}, but has "
        f"{', '.join(told[:_TOLD])}{more}."
    )


def differences(collected: Mapping[str, RowExperiments]) -> dict[str, list[Any]]:
    """Parameters that may round differently and of which the finished experiments have several values: these."""
    runs = [run for part in collected.values() for run in part.finished.values()]
    values = {key: list(dict.fromkeys(run.params.get(key) for run in runs)) for key in _ROUNDING}
    return {key: seen for key, seen in values.items() if len(seen) > 1}
