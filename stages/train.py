"""Train one method."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads seed, method, model, loss, train and compute.")
IMAGES = typer.Option(help="Images file, written by ingest.")
OVERLAY = typer.Option(help="Overlay, written by superresolve.")
MODEL = typer.Option(help="Model folder to write.")
CURVES = typer.Option(help="Folder of live curves to write.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    overlay: Annotated[Path, OVERLAY] = Path("artifacts/superresolved.h5"),
    model: Annotated[Path, MODEL] = Path("artifacts/model"),
    curves: Annotated[Path, CURVES] = Path("results/train"),
) -> None:
    """Train one method on the training identities, and keep the epoch that finds held-out ones best.

    Reads artifacts/images.h5 and artifacts/superresolved.h5. Writes artifacts/model (weights and a JSON from which
    the model is rebuilt) and results/train (curves, live while it runs). A killed run goes on where it stopped.
    """
    from vireid.params import load_params
    from vireid.steps.train import train
    from vireid.support.progress import console

    description = train(load_params(params), images, overlay, model, curves)
    if console.quiet:  # of processes that train together one speaks
        return
    scores = ", ".join(f"{name} {value:.1f} %" for name, value in description.selected_by.items())
    typer.echo(f"{model}: epoch {description.selected_epoch + 1} ({scores or 'the last one'})")


if __name__ == "__main__":
    typer.run(main)
