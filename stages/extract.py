"""Embed every test image once."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads method, extract and compute.")
IMAGES = typer.Option(help="Images file, written by ingest.")
MODEL = typer.Option(help="Model folder, written by train.")
FEATURES = typer.Option(help="Features file to write.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    model: Annotated[Path, MODEL] = Path("artifacts/model"),
    features: Annotated[Path, FEATURES] = Path("artifacts/features.h5"),
) -> None:
    """Embed every test image once, visible and infrared.

    Reads artifacts/images.h5 and artifacts/model. Writes artifacts/features.h5 with every embedding that the
    method offers. Galleries of trials are drawn later, by evaluate.
    """
    from vireid.params import load_params
    from vireid.steps.extract import extract

    visible, infrared = extract(load_params(params), images, model, features)
    typer.echo(f"embedded {len(visible) + len(infrared)} test images into {features}")


if __name__ == "__main__":
    typer.run(main)
