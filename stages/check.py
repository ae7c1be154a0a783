"""Check the run before anything works: parameters, method, data set and protocols against each other."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads all of them.")
LOCK = typer.Option(help="DVC's lock file, to say what was changed since this check last passed.")
CHECKED = typer.Option(help="File to write; its content never changes.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    lock: Annotated[Path, LOCK] = Path("dvc.lock"),
    checked: Annotated[Path, CHECKED] = Path("artifacts/checked"),
) -> None:
    """Check the run before anything works: parameters, method, data set and protocols against each other.

    Reads the parameters and lists the folder `dataset.root`, without opening an image. Everything that is wrong is
    said at once. Writes artifacts/checked, whose content never changes: it is there so that DVC runs this before
    ingest, and a change of parameters that passes makes nothing out of date.
    """
    from vireid.steps.check import check

    for note in check(params, lock, checked):
        typer.echo(f"note: {note}", err=True)
    typer.echo("parameters, method, data set and protocols fit")


if __name__ == "__main__":
    typer.run(main)
