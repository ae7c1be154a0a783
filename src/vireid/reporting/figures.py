"""The folder of figures that the stage `figures` and `vireid evaluate` write."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vireid.params import Figures
from vireid.reporting.cmc import draw_cmc
from vireid.reporting.distances import draw_distances
from vireid.reporting.embedding_map import draw_embedding_map
from vireid.reporting.nothing_to_show import NothingToShow
from vireid.reporting.ranked_pictures import draw_ranked_lists, draw_worst_queries
from vireid.reporting.training import draw_training
from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features
from vireid.support.files import replacing
from vireid.support.progress import track


@dataclass(frozen=True)
class Sources:
    """What some of the figures are drawn from, beside the features.

    Attributes:
        images: The images file that the features were extracted from; without it no picture is shown.
        training: Folder of DVCLive's tables of the training; without it no training is drawn.
    """

    images: Path | None
    training: Path | None


def draw_figures(
    path: Path, evaluations: Sequence[Evaluation], features: Features, sources: Sources, settings: Figures
) -> dict[str, str]:
    """Draw every figure that there is a source for, into a folder that appears whole or not at all.

    A figure that the results have nothing for is left out, and the others are drawn.

    Args:
        path: The folder; an earlier one is replaced.
        evaluations: Results; all figures but `cmc.png` show the first.
        features: What was evaluated.
        sources: Pictures and training curves.
        settings: How many queries and identities are shown.

    Returns:
        The file's name of each figure that was left out, and why.

    Raises:
        UserError: If the training's tables or the images cannot be read.
    """
    shown, images, training = evaluations[0], sources.images, sources.training
    figures = {
        "cmc": lambda file: draw_cmc(file, evaluations),
        "distances": lambda file: draw_distances(file, features, shown.protocol),
        "embedding_map": lambda file: draw_embedding_map(file, features, shown.protocol, settings.embedded_pids),
    }
    if images is not None:
        figures |= {
            "ranked_lists": lambda file: draw_ranked_lists(file, shown, features, images, settings.ranked_queries),
            "worst_queries": lambda file: draw_worst_queries(
                file, shown, features, images, settings.worst_queries
            ),
        }
    if training is not None:
        figures["training"] = lambda file: draw_training(file, training)
    left_out = {}
    with replacing(path) as folder:
        folder.mkdir()
        for name, draw in track(figures.items(), "draw", len(figures), "figures"):
            try:
                draw(folder / f"{name}.png")
            except NothingToShow as reason:
                left_out[f"{name}.png"] = str(reason)
    return left_out
