"""The finished experiments of a table's rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from vireid.experiments.dvc import Experiment
from vireid.experiments.plan import Plan
from vireid.support.errors import UserError


@dataclass
class Found:
    """Experiments of one row.

    Attributes:
        finished: By seed, the latest.
        waiting: Seeds that are queued or running.
        failed: Seeds whose latest experiment failed.
        stale: Names of finished experiments that had other parameters than the row now has.
    """

    finished: dict[int, Experiment] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)


def collect(plan: Plan, experiments: Sequence[Experiment]) -> dict[str, Found]:
    """Sort experiments by row and seed.

    Args:
        plan: What the rows' parameters are.
        experiments: All there are; a finished one counts whichever commit it started from.
    """
    found = {row: Found() for row in plan.settings}
    pattern = re.compile(rf"{re.escape(plan.prefix)}-([a-z0-9_]+)-s(\d+)")
    for experiment in sorted(experiments, key=lambda experiment: experiment.timestamp):
        match = pattern.fullmatch(experiment.name)
        if match is None or match[1] not in found:
            continue
        row, seed = found[match[1]], int(match[2])
        if not experiment.has(plan.dictated[match[1]], seed):
            row.stale.add(experiment.name)
        elif experiment.state == "finished":
            row.finished[seed] = experiment
        elif experiment.state == "failed":
            row.failed.add(seed)
        else:
            row.waiting.add(seed)
    for row in found.values():
        row.failed -= row.finished.keys() | row.waiting
    return found


def numbers(experiment: Experiment, protocol: str, result: str | None, metrics: Sequence[str]) -> dict[str, float]:
    """Read a row's metrics from an experiment.

    Args:
        experiment: A finished one.
        protocol: As `synthetic/all_search/single_shot`.
        result: Where below the protocol the numbers stand; None for the protocol's own.
        metrics: Which.

    Raises:
        UserError: If one is not there.
    """
    node: Any = experiment.metrics
    for part in (*protocol.split("/"), *([result] if result else [])):
        node = node.get(part) if isinstance(node, dict) else None
    missing = [metric for metric in metrics if not isinstance(node, dict) or metric not in node]
    if missing:
        raise UserError(
            f"experiment {experiment.name}",
            f"it has no {', '.join(missing)} of {protocol}" + (f", {result}" if result else ""),
            expected="the table's columns in results/metrics.json",
            found=", ".join(node) if isinstance(node, dict) else "no such protocol",
            remedy="choose another --protocol, or add the rank to evaluate.ranks and run again",
        )
    return {metric: float(node[metric]) for metric in metrics}


def differences(found: dict[str, Found], plan: Plan) -> dict[str, list[Any]]:
    """Parameters in which the finished experiments differ although no row says so, with their values."""
    runs = [(row, run) for row, part in found.items() for run in part.finished.values()]
    ruled = {key for dictated in plan.dictated.values() for key in dictated} | {"seed", "dataset.root"}
    keys = {key for _, run in runs for key in run.params} - ruled
    values = {key: [run.params.get(key) for _, run in runs] for key in sorted(keys)}
    unequal = {key: [v for i, v in enumerate(seen) if v not in seen[:i]] for key, seen in values.items()}
    return {key: seen for key, seen in unequal.items() if len(seen) > 1}
