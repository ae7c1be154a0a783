"""Options of the commands that are about the rows of a paper's table."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from vireid.support.errors import UserError

if TYPE_CHECKING:
    from vireid.experiments.grid import Grid

ROWS = typer.Option(help="Names of rows, with commas; all without it.")
SCHEDULE = typer.Option(help="A schedule's preset; that of params.yaml without it.")
DATASET = typer.Option(help="A data set's preset; that of params.yaml without it.")
PARAMS = Path("params.yaml")  # what every row starts from, and what DVC changes in the queued copy
CONF = typer.Option(help="The folder of presets; tables are in its experiments/.")


def chosen_presets(schedule: str, dataset: str) -> dict[str, str]:
    """Return the presets that were named on the command line, by group."""
    return {group: name for group, name in (("dataset", dataset), ("schedule", schedule)) if name}


def chosen_rows(grid: "Grid", rows: str) -> list[str]:
    """Read the option `--rows`.

    Raises:
        UserError: If there is no such row.
    """
    names = [name.strip() for name in rows.split(",") if name.strip()] or list(grid.rows)
    unknown = [name for name in names if name not in grid.rows]
    if unknown:
        expected, found = ", ".join(grid.rows), ", ".join(unknown)
        raise UserError("--rows", "no such row", expected=expected, found=found, remedy="choose from these")
    return names
