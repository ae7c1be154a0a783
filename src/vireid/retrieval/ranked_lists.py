"""The first places of some queries' rankings, for looking at."""

from dataclasses import dataclass

import numpy as np

from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features
from vireid.retrieval.gallery_pool import GalleryPool
from vireid.retrieval.ranking import JUNK_KEY


@dataclass(frozen=True)
class RankedList:
    """One query and the closest images of one gallery, without those that the protocol ignores.

    Attributes:
        query: Row in the query modality's group.
        gallery: (K,) rows in the gallery modality's group, closest first.
        distance: (K,) float32.
        correct: (K,) bool, True for the query's identity.
        match: Row of the closest image of the query's identity.
        match_rank: Its place among all images that the query does not ignore, from 1.
        average_precision: Of the whole ranking, in (0, 1].
    """

    query: int
    gallery: np.ndarray
    distance: np.ndarray
    correct: np.ndarray
    match: int
    match_rank: int
    average_precision: float


def from_best_to_worst(evaluation: Evaluation, count: int, trial: int = 0) -> np.ndarray:
    """Choose queries at even steps of average precision's order, so that good and bad ones show as they are.

    Args:
        evaluation: Results.
        count: Number of queries; fewer where fewer have a match.
        trial: The gallery.

    Returns:
        (K,) positions among the trial's queries, the best first and the worst last.
    """
    precision = evaluation.average_precision[trial]
    best_first = np.argsort(-precision, kind="stable")[: evaluation.valid_by_trial[trial]]  # NaN sorts to the end
    places = np.linspace(0, len(best_first) - 1, min(count, len(best_first)))
    return best_first[places.round().astype(int)]


def worst(features: Features, evaluation: Evaluation, count: int, trial: int = 0) -> np.ndarray:
    """Choose the queries of the lowest average precision, one of each identity.

    Args:
        features: What was evaluated.
        evaluation: Results with these features.
        count: Number of queries; fewer where fewer identities have a match.
        trial: The gallery.

    Returns:
        (K,) positions among the trial's queries, the worst first.
    """
    selection, precision = evaluation.selection, evaluation.average_precision[trial]
    order = np.argsort(precision, kind="stable")[: evaluation.valid_by_trial[trial]]  # NaN sorts to the end
    rows = selection.query_rows[trial][order]
    _, first = np.unique(features.group(evaluation.protocol.query_modality).pid[rows], return_index=True)
    return order[np.sort(first)[:count]]


def ranked_lists(
    features: Features, evaluation: Evaluation, positions: np.ndarray, top: int, trial: int = 0
) -> list[RankedList]:
    """Rank a trial's gallery for some queries and keep the first places.

    Args:
        features: Embeddings of the test images.
        evaluation: Results with these features.
        positions: (K,) positions among the trial's queries, of queries that have a match.
        top: Number of places; fewer where a query ignores so many that fewer are left.
        trial: The gallery.
    """
    selection = evaluation.selection
    queries, gallery = selection.query_rows[trial][positions], selection.gallery_rows[trial]
    pool = GalleryPool(features, evaluation.protocol, gallery)
    distmat, keys = pool.distances(queries).numpy(), pool.keys(queries).numpy()
    lists = []
    for row, (position, query) in enumerate(zip(positions, queries, strict=True)):
        ranking = np.argsort(keys[row])
        ranking = ranking[keys[row, ranking] < JUNK_KEY]
        first_match = int((keys[row, ranking] & 1).argmax())
        places = ranking[:top]
        lists.append(
            RankedList(
                query=int(query),
                gallery=gallery[places],
                distance=distmat[row, places],
                correct=(keys[row, places] & 1).astype(bool),
                match=int(gallery[ranking[first_match]]),
                match_rank=first_match + 1,
                average_precision=float(evaluation.average_precision[trial, position]),
            )
        )
    return lists
