"""Rank the gallery for every query and report what the protocols of the field report."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

FEATURES = typer.Option(help="Features file, written by extract or by any other tool.")
IMAGES = typer.Option(help="Images file, written by ingest; for the ranked lists.")
TRAINING = typer.Option(help="Folder of training curves, written by train.")
METRICS = typer.Option(help="JSON to write: means over the trials, percent.")
EVALUATION = typer.Option(help="JSON to write: protocols, sources, sizes and every trial.")
CMC = typer.Option(help="CSV to write: rank, and one CMC for each protocol, percent.")
FIGURES = typer.Option(help="Folder to write: cmc.png, training.png, ranked_lists.png.")
PARAMS = typer.Option(help="Parameters; reads evaluate and dataset.gallery_draw.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    features: Annotated[Path, FEATURES] = Path("artifacts/features.h5"),
    images: Annotated[Path, IMAGES] = Path("artifacts/images.h5"),
    training: Annotated[Path, TRAINING] = Path("results/train/plots"),
    metrics: Annotated[Path, METRICS] = Path("results/metrics.json"),
    evaluation: Annotated[Path, EVALUATION] = Path("results/evaluation.json"),
    cmc: Annotated[Path, CMC] = Path("results/cmc.csv"),
    figures: Annotated[Path, FIGURES] = Path("results/figures"),
) -> None:
    """Rank the gallery for every query and report what the protocols of the field report.

    Reads artifacts/features.h5, artifacts/images.h5 and results/train/plots. Writes results/metrics.json,
    results/evaluation.json, results/cmc.csv and results/figures, and prints a table.
    """
    from vireid.params import load_params
    from vireid.reporting.cmc import write_cmc
    from vireid.reporting.figures import draw_figures
    from vireid.reporting.results import write_evaluation, write_metrics
    from vireid.reporting.tables import print_results
    from vireid.retrieval.features import read_features
    from vireid.retrieval.protocols import protocol
    from vireid.retrieval.reranked import evaluate_as_asked

    settings = load_params(params)
    protocols = [protocol(name, settings.dataset.gallery_draw) for name in settings.evaluate.protocols]
    source = read_features(features, settings.evaluate.embedding)
    results = evaluate_as_asked(source, protocols, settings.evaluate)
    draw_figures(figures, results, source, images, training, settings.evaluate.ranked_queries)
    write_cmc(cmc, results)
    write_evaluation(evaluation, results, source, features)
    write_metrics(metrics, results)
    print_results(f"{source.info.method}, embedding {source.embedding}", results)


if __name__ == "__main__":
    typer.run(main)
