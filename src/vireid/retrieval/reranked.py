"""Protocols evaluated once more, by k-reciprocal re-ranking.

In each trial the protocol's queries and that trial's gallery are the images among which neighbours are sought.
What a query must ignore is taken out afterwards, as the papers do.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from vireid.params import Reranking
from vireid.retrieval.comparison import Comparison
from vireid.retrieval.evaluation import Evaluation, blocks, score
from vireid.retrieval.features import Features
from vireid.retrieval.neighbour_index import find_neighbours_by_index
from vireid.retrieval.neighbours import DistanceBlock, Neighbours, distances_of_vectors, find_neighbours
from vireid.retrieval.protocols import Protocol
from vireid.retrieval.reranking import EXPONENTS, Reranker, neighbours_needed
from vireid.support.progress import progress

_BLOCK_ITEMS = 1 << 20  # final distances held at a time; about 70 MB with what they are made of
_INDEXED = 20_000  # images of a single trial from which FAISS is the faster search


class RerankedComparison(Comparison):
    """Queries and one gallery, between which distances are re-ranked.

    Args:
        features: Embeddings of the test images.
        protocol: How to compare them.
        gallery: (G,) rows of the gallery modality's group.
        queries: (Q,) rows of the query modality's group, ascending.
        reranker: What replaces the distances between them.
    """

    def __init__(
        self, features: Features, protocol: Protocol, gallery: np.ndarray, queries: np.ndarray, reranker: Reranker
    ):
        super().__init__(features, protocol, gallery)
        self._queries, self._reranker = queries, reranker

    def distances(self, rows: np.ndarray) -> Tensor:
        """Compute the final distances of some of the queries to the gallery, (B, G) float32."""
        original = super().distances(rows).numpy()
        return torch.from_numpy(self._reranker.distances(np.searchsorted(self._queries, rows), original))


def rerank(features: Features, evaluations: Sequence[Evaluation], settings: Reranking) -> list[Evaluation]:
    """Add re-ranked results to results.

    Args:
        features: Embeddings of the test images.
        evaluations: Results with them.
        settings: The parameters.

    Returns:
        The same results, each with `reranked`.
    """
    works = [_Work(features, evaluation, settings) for evaluation in evaluations]
    with progress("re-rank", sum(work.images for work in works), "images") as bar:
        return [
            replace(evaluation, reranked=work.evaluate(bar.advance))
            for evaluation, work in zip(evaluations, works, strict=True)
        ]


class _Work:
    """One protocol to be evaluated by re-ranking.

    Attributes:
        images: Number of images to be advanced by: all once for their neighbours, each trial's queries once.
    """

    def __init__(self, features: Features, evaluation: Evaluation, settings: Reranking):
        self._features, self._evaluation, self._settings = features, evaluation, settings
        selection = evaluation.selection
        # Positions of the images that some trial needs; a trial's images are its queries, then its gallery.
        self._asked = np.unique(np.concatenate(selection.asked))
        self._drawn = np.unique(np.concatenate(selection.galleries))
        self.images = len(self._asked) + len(self._drawn) + sum(len(queries) for queries in selection.asked)

    def evaluate(self, advance: Callable[[int], None]) -> Evaluation:
        """Rank every query of every trial anew."""
        selection, protocol = self._evaluation.selection, self._evaluation.protocol
        comparison = Comparison(self._features, protocol, selection.pool[self._drawn])
        vectors = torch.cat([comparison.query_vectors(selection.queries[self._asked]), comparison.gallery_vectors])
        sets = [
            np.concatenate(
                [np.searchsorted(self._asked, queries), len(self._asked) + np.searchsorted(self._drawn, gallery)]
            )
            for queries, gallery in zip(selection.asked, selection.galleries, strict=True)
        ]
        block, needed = distances_of_vectors(vectors, protocol.distance), neighbours_needed(self._settings)
        if len(sets) == 1 and len(vectors) >= _INDEXED:
            found = [find_neighbours_by_index(vectors, protocol.distance, needed, advance)]
        else:
            found = find_neighbours(block, sets, needed, advance)
        trials = [
            self._trial(trial, _part(block, items), neighbours, advance)
            for trial, (items, neighbours) in enumerate(zip(sets, found, strict=True))
        ]
        match_ranks, precisions, penalties = (np.stack(values) for values in zip(*trials, strict=True))
        return Evaluation(
            protocol, selection, self._evaluation.ranks, match_ranks, precisions, penalties, self._settings
        )

    def _trial(
        self, trial: int, block: DistanceBlock, neighbours: Neighbours, advance: Callable[[int], None]
    ) -> tuple[np.ndarray, ...]:
        """Score the queries of a trial: match ranks, average precisions, inverse negative penalties, each (Q,)."""
        protocol, selection = self._evaluation.protocol, self._evaluation.selection
        queries, gallery = selection.queries[selection.asked[trial]], selection.pool[selection.galleries[trial]]
        reranker = Reranker(block, neighbours, len(queries), EXPONENTS[protocol.distance], self._settings)
        comparison = RerankedComparison(self._features, protocol, gallery, queries, reranker)
        scores = []
        for rows in blocks(queries, max(1, _BLOCK_ITEMS // len(gallery))):
            scores.append(score(comparison.keys(rows), torch.from_numpy(comparison.pids), protocol))
            advance(len(rows))
        return tuple(np.concatenate(value) for value in zip(*scores, strict=True))


def _part(block: DistanceBlock, items: np.ndarray) -> DistanceBlock:
    """Number some images anew, from 0."""
    return lambda rows, columns: block(items[rows], items[columns])
