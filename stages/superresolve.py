"""Train SRCNN on one visible camera and replace that camera's training images."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads seed, dataset.root, superresolve and compute.")
IMAGES = typer.Option(help="Images file, written by ingest.")
OVERLAY = typer.Option(help="Overlay to write.")
WEIGHTS = typer.Option(help="SRCNN's weights to write.")
REPORT = typer.Option(help="JSON to write: PSNR and SSIM against bicubic.")
PLOTS = typer.Option(help="Folder to write: training.csv and comparison.png.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    overlay: Annotated[Path, OVERLAY] = Path("artifacts/superresolved.h5"),
    weights: Annotated[Path, WEIGHTS] = Path("artifacts/srcnn.safetensors"),
    report: Annotated[Path, REPORT] = Path("results/superresolve.json"),
    plots: Annotated[Path, PLOTS] = Path("results/superresolve"),
) -> None:
    """Train SRCNN on one visible camera and replace that camera's training images.

    Reads artifacts/images.h5 and the original images of the camera. Writes artifacts/superresolved.h5 (an overlay
    with the replaced images), artifacts/srcnn.safetensors, results/superresolve.json (PSNR and SSIM against
    bicubic enlargement, on held-out identities; how many originals are as large as SRCNN's target), and into
    results/superresolve the training's curve and a picture of some of these images by both. With
    superresolve.enabled: false the overlay is empty.
    """
    from vireid.params import load_params
    from vireid.steps.superresolve import superresolve

    done = superresolve(load_params(params), images, overlay, weights, report, plots)
    if done.warning:
        typer.echo(f"warning: {done.warning}", err=True)
    typer.echo(f"replaced {done.scores['replaced_images']} images in {overlay}")


if __name__ == "__main__":
    typer.run(main)
