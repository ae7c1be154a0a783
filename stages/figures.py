"""Draw what the evaluation looks like."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

PARAMS = typer.Option(help="Parameters; reads evaluate, figures and dataset.gallery_draw.")
FEATURES = typer.Option(help="Features file, written by extract or by any other tool.")
IMAGES = typer.Option(help="Images file, written by ingest; for the ranked lists.")
TRAINING = typer.Option(help="Folder of training curves, written by train.")
FIGURES = typer.Option(help="Folder to write.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    features: Annotated[Path, FEATURES] = Path("artifacts/features.h5"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    training: Annotated[Path, TRAINING] = Path("results/train/plots"),
    figures: Annotated[Path, FIGURES] = Path("results/figures"),
) -> None:
    """Draw what the evaluation looks like.

    Reads artifacts/features.h5, artifacts/images.h5 and results/train/plots. Writes into results/figures cmc.png,
    and for the first protocol distances.png (pairs of one and of two identities), embedding_map.png (t-SNE),
    ranked_lists.png and worst_queries.png; and training.png. What the results have nothing for is left out with a
    line that says why: a collapsed embedding has no map.
    """
    from vireid.params import load_params
    from vireid.steps.figures import draw_run

    for name, reason in draw_run(load_params(params), features, images, training, figures).items():
        typer.echo(f"not drawn: {name}: {reason}", err=True)
    typer.echo(f"drew {figures}")


if __name__ == "__main__":
    typer.run(main)
