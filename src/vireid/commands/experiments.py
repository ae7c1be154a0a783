"""`vireid experiments`: the rows of a paper's table as DVC experiments."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.commands.rows import CONF, DATASET, PARAMS, ROWS, SCHEDULE, chosen_presets, chosen_rows
from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from vireid.experiments.collect import RowExperiments
    from vireid.experiments.plan import Plan
    from vireid.experiments.repetition import Repetition

NAME = typer.Argument(help="A table, as fprnet/table4; without it all tables are listed.")
TRIALS = typer.Option(help="Trials of the data set, with commas; that of the parameters without it.")


@reports_errors
def experiments(
    name: Annotated[str, NAME] = "",
    queue: Annotated[bool, typer.Option("--queue", help="Queue what is missing; without it only list.")] = False,
    rows: Annotated[str, ROWS] = "",
    seeds: Annotated[str, typer.Option(help="Seeds, with commas; every row gets the same.")] = "0,1,2",
    trials: Annotated[str, TRIALS] = "",
    schedule: Annotated[str, SCHEDULE] = "",
    dataset: Annotated[str, DATASET] = "",
    conf: Annotated[Path, CONF] = Path("conf"),
) -> None:
    """List the rows of a paper's table and the state of their experiments, or queue those that are missing.

    An experiment is the workspace as it is (the files that Git tracks, edits included) with the row's parameters
    and one seed, on one trial where the data set has several. Every row is checked before the first is queued. The
    workspace itself is left as it is. What is queued, running or finished already, under whatever name, is not
    queued again; what failed is.

    Then run what is queued, and write the table:

    dvc queue start        (in the background; or in the foreground: dvc exp run --run-all)

    vireid table fprnet/table4 --schedule quick
    """
    from vireid.experiments.collect import collect
    from vireid.experiments.dvc import all_experiments
    from vireid.experiments.grid import grids, load_grid
    from vireid.experiments.plan import make_plan

    if not name:
        for known in grids(conf):
            typer.echo(f"{known}: {load_grid(conf, known).caption}")
        return
    grid = load_grid(conf, name)
    plan = make_plan(grid, name, PARAMS, conf, chosen_presets(schedule, dataset), chosen_rows(grid, rows))
    if not plan.settings:
        raise UserError(
            "--rows",
            "nothing to run: the table has the paper's numbers only",
            expected=", ".join(row for row, values in grid.rows.items() if values.reachable),
            found=rows,
            remedy="choose from these",
        )
    repetitions = _repetitions(plan, seeds, trials)
    collected = collect(plan, all_experiments())
    _print_states(plan, collected)
    missing = [
        (row, repetition)
        for repetition in repetitions
        for row, part in collected.items()
        if repetition not in part.finished and repetition not in part.waiting
    ]
    already = len(repetitions) * len(collected) - len(missing)
    if not queue:
        typer.echo(f"{len(missing)} experiments are missing, {already} there. Queue what is missing: add --queue")
        return
    _queue(plan, collected, missing)
    typer.echo(f"{len(missing)} experiments queued, {already} already there. Run them: dvc queue start")


def _repetitions(plan: "Plan", seeds: str, trials: str) -> "list[Repetition]":
    """Read the options `--seeds` and `--trials`: each seed on each trial.

    Raises:
        UserError: If one is no list of numbers, or the data set has no such trial.
    """
    from vireid.datasets import data_set_of
    from vireid.experiments.repetition import Repetition

    layout = plan.dataset["layout"]
    chosen = _numbers("--trials", trials) if trials else [plan.dataset["trial"]]
    known_trials = data_set_of(layout).trials
    if not set(chosen) <= set(known_trials or [0]):
        raise UserError(
            "--trials" if trials else "dataset.trial",
            f"the layout {layout} has no such trial" if known_trials else f"the layout {layout} has no trials",
            expected=f"trials from {known_trials[0]} to {known_trials[-1]}" if known_trials else "0",
            found=", ".join(map(str, chosen)),
            remedy="correct it, or choose another data set (--dataset)",
        )
    return [Repetition(seed, trial) for seed in _numbers("--seeds", seeds) for trial in chosen]


def _numbers(option: str, text: str) -> list[int]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(map(int, parts))) < len(parts):
        expected = "different whole numbers, as 1,2,3"
        raise UserError(option, "not a list of numbers", expected=expected, found=text, remedy="correct it")
    return [int(part) for part in parts]


def _queue(plan: "Plan", collected: "dict[str, RowExperiments]", missing: "list[tuple[str, Repetition]]") -> None:
    """Queue rows and their repetitions; refuse where other experiments have taken the names."""
    from vireid.experiments.dvc import queue, untracked_code
    from vireid.support.progress import progress

    _check_roots(plan)
    names = [(row, plan.name(row, repetition)) for row, repetition in missing]
    taken = [f"{name} ({collected[row].stale[name]})" for row, name in names if name in collected[row].stale]
    if taken:
        raise UserError(
            "vireid experiments",
            "there are experiments of these names that are not the rows'",
            expected="free names",
            found=", ".join(taken),
            remedy="give them other names with `dvc exp rename`",
        )
    for path in untracked_code():
        typer.echo(f"warning: {path} is unknown to Git, so the experiments will lack it (git add it)", err=True)
    with progress("queue", len(missing), "experiments") as bar:
        for row, repetition in missing:
            queue(plan.name(row, repetition), plan.overrides(row, repetition))
            bar.advance()


def _check_roots(plan: "Plan") -> None:
    """Refuse a data set that the experiments would not find, such as a preset's placeholder."""
    from vireid.experiments.dvc import finds

    for root in {values["dataset"]["root"] for values in plan.settings.values()}:
        if not finds(root):
            is_folder = Path(root).is_dir()
            raise UserError(
                "dataset.root",
                "queued experiments run in copies of the project, which lack this folder"
                if is_folder
                else "no such folder",
                expected="the data set's folder, by its absolute path unless DVC or Git tracks it",
                found=root,
                remedy="choose the data set by `vireid preset dataset=NAME`, set dataset.root"
                f"{f': {Path(root).resolve()}' if is_folder else ''} in params.yaml, and repeat this command",
            )


def _print_states(plan: "Plan", collected: "dict[str, RowExperiments]") -> None:
    from vireid.support.tables import Column, print_table

    columns = [Column(heading) for heading in ("row", "in the paper", "finished", "waiting", "failed")]
    rows = []
    for row, part in collected.items():
        runs = (", ".join(map(str, sorted(group))) for group in (part.finished, part.waiting, part.failed))
        rows.append([row, plan.grid.rows[row].label, *runs])
    print_table(plan.prefix, columns, rows, ["s: seed, t: trial"])
