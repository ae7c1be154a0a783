"""The folder of figures that `evaluate` writes."""

from collections.abc import Sequence
from pathlib import Path

from vireid.reporting.cmc import draw_cmc
from vireid.reporting.ranked_lists import draw_ranked_lists
from vireid.reporting.training import draw_training
from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features
from vireid.support.files import replacing


def draw_figures(
    path: Path,
    evaluations: Sequence[Evaluation],
    features: Features,
    images: Path,
    training: Path,
    ranked_queries: int,
) -> None:
    """Draw `cmc.png`, `training.png` and `ranked_lists.png` into a folder that appears whole or not at all.

    Args:
        path: The folder; an earlier one is replaced.
        evaluations: Results; the ranked lists are those of the first.
        features: What was evaluated.
        images: The images file that the features were extracted from.
        training: Folder of DVCLive's tables of the training.
        ranked_queries: Number of rows of the ranked lists.

    Raises:
        UserError: If the training's tables or the images cannot be read.
    """
    with replacing(path) as folder:
        folder.mkdir()
        draw_cmc(folder / "cmc.png", evaluations)
        draw_training(folder / "training.png", training)
        draw_ranked_lists(folder / "ranked_lists.png", evaluations[0], features, images, ranked_queries)
