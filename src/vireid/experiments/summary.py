"""A paper's table and figures from the finished experiments of its rows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from vireid.experiments.collect import RowExperiments, differences, numbers, short_bases
from vireid.experiments.comparison_table import ComparedRow, ComparisonTable
from vireid.experiments.dvc import Experiment
from vireid.experiments.facts import NOTES_ON_FACTS, facts_of_methods
from vireid.experiments.plan import Plan
from vireid.experiments.repetition import Repetition, averaged_over, by_unit, seeds_of, trials_of
from vireid.experiments.training_curves import HOLDOUT, training_curves
from vireid.methods import check_method
from vireid.methods.base import Fitted


def comparison(
    plan: Plan, collected: Mapping[str, RowExperiments], rows: Sequence[str], protocol: str
) -> ComparisonTable:
    """Put the paper's numbers and ours side by side.

    Args:
        plan: The table, with the parameters of all its rows.
        collected: Experiments of the rows that parameters reach.
        rows: The rows to show; a reference is compared with even where it is not shown.
        protocol: As `synthetic/all_search/single_shot`.

    Raises:
        UserError: If an experiment lacks a metric of the table.
    """
    grid = plan.grid
    by_trial = len(trials_of(_repetitions(collected))) > 1
    compared = {row: _row(plan, row, collected.get(row), protocol, by_trial) for row in grid.with_references(rows)}
    if grid.overview:
        facts = facts_of_methods(plan, collected, {row: compared[row].ours for row in rows})
        compared |= {row: replace(compared[row], facts=facts[row]) for row in rows}
    return ComparisonTable(
        title=f"{grid.caption}: {plan.prefix}",
        metrics=grid.metrics,
        rows=[
            replace(compared[row], reference=compared[reference]) if reference != row else compared[row]
            for row, reference in ((row, grid.reference_of(row)) for row in rows)
        ],
        notes=[*_notes(plan, collected, rows, protocol), *_blank(compared.values(), grid.metrics)],
        corrected=grid.overview,
    )


def _blank(rows: Iterable[ComparedRow], metrics: Sequence[str]) -> list[str]:
    """Say why no run has a number in some columns, if so."""
    runs = [numbers for row in rows for of_unit in row.ours.values() for numbers in of_unit.values()]
    blank = [metric for metric in metrics if runs and not any(metric in numbers for numbers in runs)]
    return [f"Blank, as the gallery is smaller: {', '.join(blank)}."] if blank else []


def _row(plan: Plan, name: str, collected: RowExperiments | None, protocol: str, by_trial: bool) -> ComparedRow:
    row = plan.grid.rows[name]
    finished = collected.finished if collected else {}
    ours = {r: numbers(run, protocol, row.result, plan.grid.metrics) for r, run in finished.items()}
    return ComparedRow(row.label, row.paper_numbers(protocol), by_unit(ours, by_trial), _state(collected))


def _repetitions(collected: Mapping[str, RowExperiments]) -> set[Repetition]:
    return {repetition for part in collected.values() for repetition in part.finished}


def _state(collected: RowExperiments | None) -> str:
    if collected is None:
        return "paper only"
    more = [f"{len(collected.waiting)} waiting"] * bool(collected.waiting) + [
        f"{len(collected.failed)} failed"
    ] * bool(collected.failed)
    if not collected.finished:
        return ", ".join(more) or "not run"
    return str(len(collected.finished)) + (f" ({', '.join(more)})" if more else "")


def _notes(plan: Plan, collected: Mapping[str, RowExperiments], rows: Sequence[str], protocol: str) -> list[str]:
    grid = plan.grid
    runs = [run for part in collected.values() for run in part.finished.values()]
    paper = [f"Paper: {grid.source}; {grid.paper_protocol}. Percent."] if grid.source else []
    notes = paper or ["A comparison of vireid's, of no paper. Percent."]
    if not runs:
        return [*notes, "No experiment of this table has finished.", *_left_out(collected)]
    repetitions = _repetitions(collected)
    seeds, trials = seeds_of(repetitions), trials_of(repetitions)
    notes.append(
        f"Ours: {protocol}; {averaged_over(repetitions)}. "
        + " ".join(_lengths([plan.settings[row] for row, part in collected.items() if part.finished]))
    )
    if protocol.startswith("synthetic"):
        notes.append("The embedded data set is drawn, so our numbers say nothing about real cameras.")
    interval = "Student's 95 % interval, for each row alone"
    if grid.overview:
        interval = "Student's interval, whose level is corrected for the number of rows compared with it (Holm)"
    notes.append(
        f"Differences in {grid.metrics[-1]} are to {_references(plan, rows)}; ours are paired by seed"
        f"{' and trial' if trials else ''}, with half of {interval}. Bold: the "
        "interval does not hold zero. What is not bold is within noise."
    )
    if grid.overview:
        notes += NOTES_ON_FACTS
    if uneven := _uneven(plan, collected):
        notes.append(
            "Not all rows have the same runs, so their means are not comparable. Differences are over the runs "
            f"that a row shares with the one it is compared with: {', '.join(uneven)}."
        )
    if len(trials) > 1:
        notes.append("Trials split the same people in other ways; the intervals say nothing about other people.")
    options = f"--dataset {plan.dataset['name']} --schedule {runs[0].params['schedule']}"
    options += f" --seeds {','.join(map(str, seeds))}"
    options += f" --trials {','.join(map(str, trials))}" * bool(trials)
    command = f"vireid experiments {plan.table} {options} --queue"
    one = f" One row, here the first: `{command} --rows {rows[0]}`." if grid.overview else ""
    notes.append(f"To run all of it: `{command}`, then `dvc queue start`.{one}")
    return [*notes, *_origins(plan, collected)]


def _references(plan: Plan, rows: Sequence[str]) -> str:
    """Name the row that the others are compared with, or each of several with those that are compared with it."""
    grid = plan.grid
    compared: dict[str, list[str]] = {}
    for row in rows:
        if row != grid.reference_of(row):
            compared.setdefault(grid.reference_of(row), []).append(repr(grid.rows[row].label))
    if len(compared) <= 1:
        return f"the row {grid.rows[next(iter(compared), grid.reference)].label!r}"
    several = (f"{grid.rows[name].label!r} (for {', '.join(labels)})" for name, labels in compared.items())
    return f"the rows {', '.join(several)}"


def _uneven(plan: Plan, collected: Mapping[str, RowExperiments]) -> list[str]:
    """Name the rows whose runs are not those of their reference, and how many they share."""
    references = {row: collected[plan.grid.reference_of(row)].finished.keys() for row in collected}
    return [
        f"{plan.grid.rows[row].label!r} {len(references[row] & part.finished.keys())} of {len(part.finished)}"
        for row, part in collected.items()
        if part.finished and part.finished.keys() != references[row]
    ]


def _origins(plan: Plan, collected: Mapping[str, RowExperiments]) -> list[str]:
    """Say what about the experiments themselves may surprise."""
    named = {plan.name(row, r): run for row, part in collected.items() for r, run in part.finished.items()}
    bases = short_bases(named.values())
    plural = "s" if len(bases) > 1 else ""
    notes = [f"Started from commit{plural} {', '.join(bases)}" + (": the code may differ." if plural else ".")]
    for key, values in differences(collected).items():
        notes.append(f"The experiments differ in {key}, which is none of the rows' doing: {values}.")
    names = {run.called for run in named.values()}
    if others := sorted(names - named.keys()):
        notes.append(f"Counted for their parameters, which are the rows': {', '.join(others)}.")
    return notes + _left_out(collected)


def _left_out(collected: Mapping[str, RowExperiments]) -> list[str]:
    """Name what looks like an experiment of the table but is none, by what is wrong with it."""
    counted = {run.called for part in collected.values() for run in part.finished.values()}
    names: dict[str, list[str]] = {}
    for name, reason in sorted({pair for part in collected.values() for pair in part.stale.items()}):
        if name not in counted:
            names.setdefault(reason, []).append(name)
    return [f"Left out, {reason}: {', '.join(called)}." for reason, called in names.items()]


def _lengths(settings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Say how long the rows' trainings were, of what size, and what they started from."""
    recipes: dict[str, list[str]] = {}
    for values in settings:
        recipes.setdefault(f"{_training(values)}.", []).append(values["recipe"])
    for training, names in recipes.items():
        yield f"Schedule {settings[0]['schedule']} of {', '.join(dict.fromkeys(names))}: {training}"


def _training(settings: Mapping[str, Any]) -> str:
    """Say how a row is trained: steps, images, network, and what it starts from."""
    method, model, _ = check_method(settings["method"], settings["model"], settings["loss"])
    train, ingest = settings["train"], settings["ingest"]
    pixels = f"{ingest['height']}x{ingest['width']} pixels"
    if issubclass(method, Fitted):
        count = settings["model"]["images_per_pid"]
        return f"fitted in closed form to {count} images of each training identity and spectrum, {pixels}"
    images, steps = 2 * train["num_pids"] * train["num_instances"], train["steps_per_epoch"]
    trunk, weights = method.trunk_of(model), settings["model"].get("weights")
    pretrained = weights or (trunk and trunk.pretrained)
    name = trunk.name if trunk else "a network without a trunk"
    if not pretrained:
        start = "a random state"
    else:
        start = "pretrained weights" if pretrained is True else f"the weights {pretrained}"
    length = "all images" if steps == "full" else f"{steps} steps"
    return f"{train['epochs']} epochs of {length}, batches of {images}, {pixels}, {name} from {start}"


def rank_curves(plan: Plan, collected: Mapping[str, RowExperiments], protocol: str) -> dict[str, list[pd.Series]]:
    """CMC at the ranks that all runs report, percent by rank: for each row with finished runs a list of them."""
    reported = [set(run.params["evaluate.ranks"]) for part in collected.values() for run in part.finished.values()]
    ranks = sorted(set.intersection(*reported)) if reported else []
    curves = {
        plan.grid.rows[row].label: [
            _ranks(run, protocol, plan.grid.rows[row].result, ranks) for _, run in sorted(part.finished.items())
        ]
        for row, part in collected.items()
        if part.finished
    }
    return {label: runs for label, runs in curves.items() if any(map(len, runs))}


def sweep_curves(
    plan: Plan, collected: Mapping[str, RowExperiments], protocol: str
) -> tuple[list[str], dict[str, list[pd.Series]]]:
    """The numbers over the values of the grid's `sweep`.

    Args:
        plan: The table.
        collected: Experiments of its rows.
        protocol: As `synthetic/all_search/single_shot`.

    Returns:
        The values in the table's order, as text; and per metric, and of the held-out mAP of the chosen epochs, a
        list over the repetitions of curves in percent, indexed by the value's place. Repetitions that only some
        values have are left out, as a line through other runs at each value would say nothing.
    """
    grid = plan.grid
    rows = [row for row in grid.rows if row in collected]
    values = [str((grid.rows[row].set or {})[grid.sweep or ""]) for row in rows]
    holdout = training_curves(plan, collected, [HOLDOUT])[HOLDOUT]
    shared = _shared([collected[row] for row in rows])
    curves: dict[str, dict[Repetition, dict[int, float]]] = {}
    for place, row in enumerate(rows):
        for number, (repetition, run) in enumerate(sorted(collected[row].finished.items())):
            if repetition not in shared:
                continue
            ours = numbers(run, protocol, grid.rows[row].result, grid.metrics)
            if trained := holdout.get(grid.rows[row].label):
                ours["held-out mAP of the chosen epoch"] = trained[number].max()
            for name, value in ours.items():
                curves.setdefault(name, {}).setdefault(repetition, {})[place] = value
    return values, {name: [pd.Series(run) for run in runs.values()] for name, runs in curves.items()}


def _shared(parts: Sequence[RowExperiments]) -> set[Repetition]:
    """Repetitions that all rows with finished runs have."""
    finished = [set(part.finished) for part in parts if part.finished]
    return set.intersection(*finished) if finished else set()


def _ranks(run: Experiment, protocol: str, result: str | None, ranks: Sequence[int]) -> pd.Series:
    """Take a run's CMC at some ranks, as far as its gallery goes."""
    names = {f"rank{rank}": rank for rank in ranks}
    values = numbers(run, protocol, result, list(names))
    return pd.Series({names[name]: value for name, value in values.items()}, dtype=float)
