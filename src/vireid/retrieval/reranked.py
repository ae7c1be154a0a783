"""Protocols evaluated once more, by k-reciprocal re-ranking.

In each trial the protocol's queries and that trial's gallery are the images among which neighbours are sought.
What a query must ignore is taken out afterwards, as the papers do.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vireid.datasets.protocol import Protocol
from vireid.params import Evaluate, Reranking
from vireid.retrieval.counting import Scores
from vireid.retrieval.evaluation import Evaluation, evaluate_protocols
from vireid.retrieval.features import Features
from vireid.retrieval.gallery_pool import WHOLE, Compared, GalleryPool
from vireid.retrieval.neighbour_index import find_neighbours_by_index
from vireid.retrieval.neighbours import DistanceBlock, Neighbours, distances_of_vectors, find_neighbours
from vireid.retrieval.reranking import EXPONENTS, Reranker, neighbours_needed
from vireid.retrieval.scoring import score
from vireid.support.progress import progress

_INDEXED = 20_000  # images of a single trial from which FAISS proposes their neighbours


class RerankedPool(GalleryPool):
    """Queries and one gallery, between which distances are re-ranked.

    Args:
        features: Embeddings of the test images.
        protocol: How to compare them.
        queries: (Q,) rows of the query modality's group, ascending.
        gallery: (G,) rows of the gallery modality's group.
        reranker: What replaces the distances between them.
    """

    def __init__(
        self, features: Features, protocol: Protocol, queries: np.ndarray, gallery: np.ndarray, reranker: Reranker
    ):
        super().__init__(features, protocol, gallery)
        self._queries, self._reranker = queries, reranker
        self._position = np.zeros(gallery.max() + 1, np.int64)
        self._position[gallery] = np.arange(len(gallery))

    def distances_between(self, queries: Compared, part: Compared) -> Tensor:
        """Compute the final distances of prepared queries to a prepared part of the gallery, (B, C) float32."""
        original = super().distances_between(queries, part).numpy()
        rows, columns = np.searchsorted(self._queries, queries.rows), self._position[part.rows]
        return torch.from_numpy(self._reranker.distances(rows, columns, original))


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
    works = [_RerankedEvaluation(features, evaluation, settings) for evaluation in evaluations]
    with progress("re-rank", sum(work.distances for work in works), "distances") as bar:
        return [
            replace(evaluation, reranked=work.evaluate(bar.advance))
            for evaluation, work in zip(evaluations, works, strict=True)
        ]


class _RerankedEvaluation:
    """One protocol to be evaluated by re-ranking.

    Attributes:
        distances: How many there are to advance by: all pairs of images once, and those of each trial's ranking.
    """

    def __init__(self, features: Features, evaluation: Evaluation, settings: Reranking):
        self._features, self._evaluation, self._settings = features, evaluation, settings
        # The images that some trial needs; a trial's own are its queries, then its gallery.
        selection = evaluation.selection
        self._asked = np.unique(np.concatenate(selection.asked))
        self._drawn = np.unique(np.concatenate(selection.galleries))
        self._images = len(self._asked) + len(self._drawn)
        pairs = (len(queries) * len(gallery) for queries, gallery, _ in self._trials())
        self.distances = self._images**2 + sum(pairs)

    def evaluate(self, advance: Callable[[int], None]) -> Evaluation:
        """Rank every query of every trial anew."""
        selection, protocol = self._evaluation.selection, self._evaluation.protocol
        pool = GalleryPool(self._features, protocol, selection.pool[self._drawn])
        queries = pool.queries(selection.queries[self._asked])
        vectors = torch.cat([queries.vectors, pool.gallery(WHOLE).vectors])
        neighbour_sets = self._neighbours(vectors, lambda images: advance(images * self._images))
        block = distances_of_vectors(vectors, protocol.distance)
        scores = []
        for (asked, gallery, items), neighbours in zip(self._trials(), neighbour_sets, strict=True):
            reranker = Reranker(
                _part(block, items), neighbours, len(asked), EXPONENTS[protocol.distance], self._settings
            )
            final = RerankedPool(self._features, protocol, asked, gallery, reranker)
            scores.append(score(final, asked, [np.arange(len(gallery))], protocol.cmc_counting, advance))
        return _evaluation(self._evaluation, scores, self._settings)

    def _trials(self) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """List each trial's queries and gallery, rows of their groups, and where both stand among the images."""
        selection = self._evaluation.selection
        trials = []
        for asked, gallery in zip(selection.asked, selection.galleries, strict=True):
            drawn = len(self._asked) + np.searchsorted(self._drawn, gallery)
            items = np.concatenate([np.searchsorted(self._asked, asked), drawn])
            trials.append((selection.queries[asked], selection.pool[gallery], items))
        return trials

    def _neighbours(self, vectors: Tensor, advance: Callable[[int], None]) -> list[Neighbours]:
        distance, needed = self._evaluation.protocol.distance, neighbours_needed(self._settings)
        sets = [items for _, _, items in self._trials()]
        if len(sets) == 1 and len(vectors) >= _INDEXED:
            return [find_neighbours_by_index(vectors, distance, needed, advance)]
        return find_neighbours(distances_of_vectors(vectors, distance), sets, needed, advance)


def _part(block: DistanceBlock, items: np.ndarray) -> DistanceBlock:
    """Number some images anew, from 0."""
    return lambda rows, columns: block(items[rows], items[columns])


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
