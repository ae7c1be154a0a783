"""Protocols evaluated once more, by k-reciprocal re-ranking.

In each trial its queries and its gallery are the images among which neighbours are sought.
What a query must ignore is taken out afterwards, as the papers do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
import torch
from torch import Tensor

from vireid.data.records import Modality
from vireid.datasets.protocol import Protocol
from vireid.params import Evaluate, Reranking
from vireid.retrieval.counting import Scores
from vireid.retrieval.distance_blocks import DistanceBlocks, DistancesWithin, VectorDistances, all_pairs
from vireid.retrieval.evaluation import Evaluation, evaluate_protocols, grouped_by
from vireid.retrieval.features import Features
from vireid.retrieval.galleries import ranking_order
from vireid.retrieval.gallery_pool import WHOLE, Compared, GalleryPool
from vireid.retrieval.neighbour_index import find_neighbours_by_index
from vireid.retrieval.neighbours import Neighbours, find_neighbours
from vireid.retrieval.reranking import EXPONENTS, Reranker, neighbours_needed
from vireid.retrieval.scoring import score
from vireid.support.progress import progress
from vireid.support.threads import each_alone

_INDEXED = 20_000  # images of a single trial from which FAISS proposes their neighbours
_HELD = 1 << 27  # distances of all pairs that are held at most, 512 MiB; SYSU-MM01's test images have 112 million
_FINAL = 1 << 24  # final distances of a trial that a thread computes at once, 64 MiB; of more, a part at a time
# Protocols that are equal in these compare images by the same distances.
_SHARED = ("query_modality", "gallery_modality", "normalise", "distance")


@dataclass(frozen=True)
class _Trial:
    """One gallery and its queries.

    Attributes:
        queries: (Q,) rows of the query modality's group, ascending.
        gallery: (G,) rows of the gallery modality's group, in the order in which equal distances are ranked.
        items: (Q + G,) ascending positions of both among all images.
    """

    queries: np.ndarray
    gallery: np.ndarray
    items: np.ndarray


class RerankedPool(GalleryPool):
    """Queries and one gallery, between which distances are re-ranked.

    Args:
        features: Embeddings of the test images.
        protocol: How to compare them.
        trial: The images.
        reranker: What replaces the distances between these images, by their positions in the trial.
    """

    def __init__(self, features: Features, protocol: Protocol, trial: _Trial, reranker: Reranker):
        super().__init__(features, protocol, trial.gallery)
        self._queries, self._reranker = trial.queries, reranker
        self._position = np.zeros(trial.gallery.max() + 1, np.int64)
        self._position[trial.gallery] = np.arange(len(trial.gallery))
        small = len(trial.queries) * len(trial.gallery) <= _FINAL
        self._final = reranker.all_distances() if small else None

    def distances_between(self, queries: Compared, part: Compared) -> Tensor:
        """Compute the final distances of queries to a part of the gallery, (B, C) float32."""
        rows, columns = np.searchsorted(self._queries, queries.rows), self._position[part.rows]
        if self._final is not None:
            return torch.from_numpy(self._final[np.ix_(rows, columns)])
        return torch.from_numpy(self._reranker.distances(rows, columns))

    def _vectors(self, modality: Modality, rows: np.ndarray) -> Tensor:
        return torch.empty(len(rows), 0, dtype=torch.float64)  # the distances are there already


def evaluate_as_asked(features: Features, protocols: Sequence[Protocol], settings: Evaluate) -> list[Evaluation]:
    """Evaluate several protocols, and by re-ranking as well where the parameters say so.

    Raises:
        UserError: As `evaluation.evaluate_protocols`.
    """
    evaluations = evaluate_protocols(features, protocols, settings.ranks)
    return rerank(features, evaluations, settings.reranking) if settings.rerank else evaluations


def rerank(features: Features, evaluations: Sequence[Evaluation], settings: Reranking) -> list[Evaluation]:
    """Add re-ranked results to results, behind one progress bar.

    Args:
        features: Embeddings of the test images.
        evaluations: Results with them.
        settings: The parameters.

    Returns:
        The same results, each with `reranked`.
    """
    groups = grouped_by(_SHARED, [evaluation.protocol for evaluation in evaluations])
    works = [_RerankedEvaluations(features, [evaluations[i] for i in group], settings) for group in groups]
    reranked: dict[int, Evaluation] = {}
    with progress("re-rank", sum(work.distances for work in works), "distances") as bar:
        for group, work in zip(groups, works, strict=True):
            reranked |= zip(group, work.evaluate(bar.advance), strict=True)
    return [replace(evaluation, reranked=reranked[place]) for place, evaluation in enumerate(evaluations)]


class _RerankedEvaluations:
    """Protocols that compare images by the same distances, to be evaluated by re-ranking.

    Attributes:
        distances: How many there are to advance by: all pairs of images once, and those of each trial's ranking.
    """

    def __init__(self, features: Features, evaluations: Sequence[Evaluation], settings: Reranking):
        self._features, self._evaluations, self._settings = features, evaluations, settings
        self._protocol = evaluations[0].protocol  # for what all of them share
        selections = [evaluation.selection for evaluation in evaluations]
        drawn = [list(zip(chosen.query_rows, chosen.gallery_rows, strict=True)) for chosen in selections]
        queries, galleries = zip(*chain.from_iterable(drawn), strict=True)
        self._queries, gallery = np.unique(np.concatenate(queries)), np.unique(np.concatenate(galleries))
        self._gallery = gallery[ranking_order(features.group(self._protocol.gallery_modality), gallery)]
        self._trials = [[self._trial(*rows) for rows in of_protocol] for of_protocol in drawn]
        self._images = len(self._queries) + len(gallery)
        pairs = (len(queries) * len(gallery) for queries, gallery in chain.from_iterable(drawn))
        self.distances = self._images**2 + sum(pairs)

    def _trial(self, queries: np.ndarray, gallery: np.ndarray) -> _Trial:
        places = np.flatnonzero(np.isin(self._gallery, gallery))  # both are in the order of ranking
        return _Trial(
            queries, gallery, np.r_[np.searchsorted(self._queries, queries), len(self._queries) + places]
        )

    def evaluate(self, advance: Callable[[int], None]) -> list[Evaluation]:
        """Rank every query of every trial anew."""
        distances, neighbours = self._neighbours(lambda images: advance(images * self._images))
        evaluations = list(zip(self._evaluations, self._trials, strict=True))
        protocols = [evaluation.protocol for evaluation, trials in evaluations for _ in trials]
        scores = iter(
            each_alone(
                lambda protocol, trial, near: self._scores(protocol, trial, near, distances, advance),
                protocols,
                chain.from_iterable(self._trials),
                neighbours,
            )
        )
        return [
            _evaluation(evaluation, list(islice(scores, len(trials))), self._settings)
            for evaluation, trials in evaluations
        ]

    def _neighbours(self, advance: Callable[[int], None]) -> tuple[DistanceBlocks, list[Neighbours]]:
        """Find the neighbours within each trial, and return where distances are to be read, too."""
        pool = GalleryPool(self._features, self._protocol, self._gallery)
        vectors = torch.cat([pool.queries(self._queries).vectors, pool.gallery(WHOLE).vectors])
        distance, needed = self._protocol.distance, neighbours_needed(self._settings)
        sets = [trial.items for trial in chain.from_iterable(self._trials)]
        if len(sets) == 1 and self._images >= _INDEXED:
            neighbours = [find_neighbours_by_index(vectors, distance, needed, advance)]
            return VectorDistances(vectors, distance), neighbours
        if self._images**2 <= _HELD:
            held = all_pairs(vectors, distance, advance)
            return held, find_neighbours(held, sets, needed, lambda images: None)
        computed = VectorDistances(vectors, distance)
        return computed, find_neighbours(computed, sets, needed, advance)

    def _scores(
        self,
        protocol: Protocol,
        trial: _Trial,
        neighbours: Neighbours,
        distances: DistanceBlocks,
        advance: Callable[[int], None],
    ) -> Scores:
        within = DistancesWithin(distances, trial.items)
        exponent = EXPONENTS[protocol.distance]
        reranker = Reranker(within, neighbours, len(trial.queries), exponent, self._settings)
        pool = RerankedPool(self._features, protocol, trial, reranker)
        return score(pool, trial.queries, [np.arange(len(trial.gallery))], protocol.cmc_counting, advance)


def _evaluation(original: Evaluation, trials: Sequence[Scores], settings: Reranking) -> Evaluation:
    """Put the trials' scores, each (Q, 1), together: (T, Q)."""
    return Evaluation(
        original.protocol,
        original.selection,
        original.ranks,
        original.blank_ranks,
        np.stack([scores.match_ranks[:, 0] for scores in trials]),
        np.stack([scores.average_precision[:, 0] for scores in trials]),
        np.stack([scores.inverse_negative_penalty[:, 0] for scores in trials]),
        reranking=settings,
    )
