"""Find, check, decode, resize and pack every image of the data set."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads dataset, ingest and compute.workers, and checks the others.")
IMAGES = typer.Option(help="Images file to write.")
STATISTICS = typer.Option(help="JSON to write: what the data set holds.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    statistics: Annotated[Path, STATISTICS] = Path("results/dataset.json"),
) -> None:
    """Find, check, decode, resize and pack every image of the data set.

    Reads the folder `dataset.root`. Writes artifacts/images.h5 (all images, uint8, by split and modality) and
    results/dataset.json (counts per split, modality, camera and identity; percentiles of the images' sizes; images
    that were skipped; what is suspicious, which is printed too).
    """
    from vireid.params import load_params
    from vireid.steps.ingest import ingest

    description = ingest(load_params(params), images, statistics)
    for warning in description["warnings"]:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"packed {description['images']} images ({len(description['skipped'])} skipped) into {images}")


if __name__ == "__main__":
    typer.run(main)
