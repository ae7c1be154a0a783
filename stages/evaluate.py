"""Rank the gallery for every query and report what the protocols of the field report."""

import sys
from pathlib import Path
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from vireid.support.errors import reports_errors

FEATURES = typer.Option(help="Features file, written by extract or by any other tool.")
METRICS = typer.Option(help="JSON to write: means over the trials, percent.")
EVALUATION = typer.Option(help="JSON to write: protocols, sources, sizes and every trial.")
CMC = typer.Option(help="CSV to write: the CMC of every protocol, percent.")
PARAMS = typer.Option(help="Parameters; reads evaluate, dataset.name, .trial and .gallery_draw.")


@reports_errors
def main(
    params: Annotated[Path, PARAMS] = Path("params.yaml"),
    features: Annotated[Path, FEATURES] = Path("artifacts/features.h5"),
    metrics: Annotated[Path, METRICS] = Path("results/metrics.json"),
    evaluation: Annotated[Path, EVALUATION] = Path("results/evaluation.json"),
    cmc: Annotated[Path, CMC] = Path("results/cmc.csv"),
) -> None:
    """Rank the gallery for every query and report what the protocols of the field report.

    Reads artifacts/features.h5. Writes results/metrics.json, results/evaluation.json and results/cmc.csv, and
    prints a table.
    """
    from vireid.params import load_params
    from vireid.reporting.results_table import print_results
    from vireid.steps.evaluate import evaluate

    evaluated = evaluate(load_params(params), features, metrics, evaluation, cmc)
    print_results(evaluated.title, evaluated.evaluations)
    for warning in evaluated.warnings:
        typer.echo(f"warning: {warning}", err=True)


if __name__ == "__main__":
    typer.run(main)
