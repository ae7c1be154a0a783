"""`vireid table`: a paper's table from finished experiments, its numbers beside ours."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.commands.rows import CONF, DATASET, PARAMS, ROWS, SCHEDULE, chosen_presets, chosen_rows
from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vireid.experiments.collect import RowExperiments
    from vireid.experiments.comparison_table import ComparisonTable
    from vireid.experiments.plan import Plan

FIGURES = typer.Option(
    help="Folder to draw into: cmc.png, holdout_map.png and loss.png, a line for each row; sweep.png, the "
    "numbers over the values that a table tries. For results/methods rows.png, best first, instead of loss.png, "
    "and lines only of up to twelve rows."
)
_LINES = 12  # that can be told apart, of methods as different as those of an overview
PROTOCOL = typer.Option(help="A protocol by name; the first of evaluate.protocols without it.")


@reports_errors
def table(
    name: Annotated[str, typer.Argument(help="A table, as fprnet/table4.")],
    output: Annotated[Path | None, typer.Option(help="Markdown file to write.")] = None,
    figures: Annotated[Path | None, FIGURES] = None,
    rows: Annotated[str, ROWS] = "",
    protocol: Annotated[str, PROTOCOL] = "",
    schedule: Annotated[str, SCHEDULE] = "",
    dataset: Annotated[str, DATASET] = "",
    conf: Annotated[Path, CONF] = Path("conf"),
) -> None:
    """Print a paper's table, and ours beside it: mean and spread over seeds or trials, and paired differences.

    Takes the finished experiments with the rows' parameters on this data set and schedule, whatever their names,
    seeds and trials: those of `vireid experiments`, and those of your own `dvc exp run`. Rows without one are
    shown as such. Nothing is run.

    Example: vireid table fprnet/table5 --schedule quick --output docs/tables/fprnet_table5.md
    """
    from vireid.experiments.collect import closest, collect
    from vireid.experiments.comparison_table import print_comparison_table, write_comparison_table
    from vireid.experiments.dvc import all_experiments
    from vireid.experiments.grid import load_grid
    from vireid.experiments.plan import make_plan
    from vireid.experiments.summary import comparison

    grid = load_grid(conf, name)
    shown = chosen_rows(grid, rows)
    planned = grid.with_references(shown)
    plan = make_plan(grid, name, PARAMS, conf, chosen_presets(schedule, dataset), planned)
    protocols = next(iter(plan.settings.values()))["evaluate"]["protocols"]
    if protocol and protocol not in protocols:
        expected = ", ".join(protocols)
        raise UserError(
            "--protocol", "not evaluated", expected=expected, found=protocol, remedy="choose from these"
        )
    experiments = all_experiments()
    collected = collect(plan, experiments)
    compared = comparison(plan, collected, shown, protocol or protocols[0])
    print_comparison_table(compared)
    if not any(part.finished for part in collected.values()):
        typer.echo(closest(plan, experiments))
    if output is not None:
        write_comparison_table(output, compared)
        typer.echo(f"written: {output}")
    if figures is not None:
        drawn = {row: part for row, part in collected.items() if row in shown}
        _draw(figures, plan, drawn, compared, protocol or protocols[0])


def _draw(
    folder: Path,
    plan: "Plan",
    collected: "Mapping[str, RowExperiments]",
    compared: "ComparisonTable",
    protocol: str,
) -> None:
    """Draw what there is to draw, and say what."""
    from vireid.experiments.curves import Diagram, draw_curves
    from vireid.experiments.ranked_rows import draw_ranked_rows
    from vireid.experiments.summary import rank_curves, sweep_curves
    from vireid.experiments.training_curves import HOLDOUT, training_curves

    loss = ("loss", "total")
    trained = training_curves(plan, collected, [HOLDOUT, loss])
    by_rank = Diagram(f"Cumulative matching, {protocol}", "rank", "queries found (%)", told=0)
    mean_ap = Diagram("Held-out training identities by epoch", "epoch", "mAP (%)", told=-1)
    losses = Diagram("Training loss by epoch", "epoch", "weighted sum of the losses", told=-1)
    figures = {
        "cmc.png": (rank_curves(plan, collected, protocol), by_rank),
        "holdout_map.png": (trained[HOLDOUT], mean_ap),
    }
    if not plan.grid.overview:  # losses of several methods are no comparison
        figures["loss.png"] = trained[loss], losses
    if plan.grid.sweep is not None:
        places, swept = sweep_curves(plan, collected, protocol)
        over = Diagram(f"{plan.grid.caption}, {protocol}", plan.grid.sweep, "%", told=None, places=places)
        figures["sweep.png"] = swept, over
    for name, (curves, diagram) in figures.items():
        if plan.grid.overview and len(curves) > _LINES:
            typer.echo(f"not drawn, {len(curves)} lines cannot be told apart, choose some with --rows: {name}")
        elif curves:
            draw_curves(folder / name, curves, diagram)
            typer.echo(f"written: {folder / name}")
        else:
            typer.echo(f"not drawn, no curves: {name}")
    if plan.grid.overview and any(part.finished for part in collected.values()):
        draw_ranked_rows(folder / "rows.png", compared, protocol, plan.grid.paper_protocol)
        typer.echo(f"written: {folder / 'rows.png'}")
