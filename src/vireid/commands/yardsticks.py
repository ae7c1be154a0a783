"""`vireid yardsticks`: what chance and plain histograms reach on a data set."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import reports_errors


@reports_errors
def yardsticks(
    images: Annotated[Path, typer.Option(help="Images file, written by ingest.")] = Path("artifacts/images.h5"),
    output: Annotated[Path | None, typer.Option(help="JSON to write: means over the trials, percent.")] = None,
    params: Annotated[Path, typer.Option(help="Parameters; reads seed, evaluate, dataset.")] = Path("params.yaml"),
) -> None:
    """Evaluate random embeddings and colour and grey-level histograms by the protocols of params.yaml.

    Reads the test images of artifacts/images.h5. A method that does not beat these has learned nothing.
    """
    from vireid.data.store import open_images
    from vireid.datasets.protocols import protocol_named
    from vireid.params import load_params
    from vireid.reporting.results import nested_metrics
    from vireid.reporting.results_table import print_results
    from vireid.retrieval.evaluation import evaluate_protocols
    from vireid.retrieval.yardsticks import yardstick_features
    from vireid.support.files import write_json

    settings = load_params(params)
    draw, dataset = settings.dataset.gallery_draw, settings.dataset.name
    protocols = [protocol_named(name, draw, dataset) for name in settings.evaluate.protocols]
    with open_images(images) as reader:
        features = yardstick_features(reader, settings.seed)
    results = {
        name: evaluate_protocols(source, protocols, settings.evaluate.ranks) for name, source in features.items()
    }
    for name, evaluations in results.items():
        print_results(name.replace("_", " "), evaluations)
    if output is not None:
        write_json(output, {name: nested_metrics(evaluations) for name, evaluations in results.items()})
