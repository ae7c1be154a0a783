"""The step `figures`: what the evaluation looks like."""

from pathlib import Path

from vireid.datasets.protocols import protocol_named
from vireid.params import Params
from vireid.reporting.figures import Sources, draw_figures
from vireid.retrieval.evaluation import evaluate_protocols
from vireid.retrieval.features import read_features


def draw_run(params: Params, features: Path, images: Path, training: Path, folder: Path) -> dict[str, str]:
    """Draw a run's figures into a folder that appears whole or not at all.

    Args:
        params: Reads `evaluate`, `figures`, `dataset.name` and `dataset.gallery_draw`.
        features: Features file, written by extract or by any other tool.
        images: Images file, written by ingest; for the ranked lists.
        training: Folder of training curves, written by train.
        folder: To write.

    Returns:
        The file's name of each figure that the results have nothing for, and why.

    Raises:
        UserError: If a file cannot be read, or images and features are of different data sets.
    """
    draw, dataset = params.dataset.gallery_draw, params.dataset.name
    protocols = [protocol_named(name, draw, dataset) for name in params.evaluate.protocols]
    source = read_features(features, params.evaluate.embedding)
    evaluations = evaluate_protocols(source, protocols, params.evaluate.ranks)
    return draw_figures(folder, evaluations, source, Sources(images, training), params.figures)
