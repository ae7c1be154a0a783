"""From features and a protocol to results: values of every query and trial first, means last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from vireid.datasets.protocol import Protocol
from vireid.params import Reranking
from vireid.retrieval.bootstrap import confidence_intervals
from vireid.retrieval.counting import Scores
from vireid.retrieval.features import Features
from vireid.retrieval.galleries import Selection, ranking_order, select_images
from vireid.retrieval.gallery_pool import GalleryPool
from vireid.retrieval.ranking import cumulative_matching
from vireid.retrieval.scoring import score
from vireid.support.errors import UserError
from vireid.support.progress import progress

# Protocols that are equal in these score the same distances, in galleries of their own.
_SHARED = (
    "query_modality",
    "gallery_modality",
    "exclusion",
    "locations",
    "cmc_counting",
    "normalise",
    "distance",
)


@dataclass(frozen=True)
class Evaluation:
    """Results of one protocol, for each trial and query.

    Attributes:
        protocol: What was done.
        selection: The queries and galleries.
        ranks: The ranks at which the CMC is reported.
        blank_ranks: Ranks that were asked for, but lie beyond the gallery, where a CMC has no value.
        match_ranks: (T, Q) int64, rank of the right answer as the protocol's CMC counts; 0 for a query without a
            match.
        average_precision: (T, Q) float64 in (0, 1], NaN for a query without a match.
        inverse_negative_penalty: (T, Q) float64 in (0, 1], NaN for a query without a match.
        reranking: The parameters, if these are results of re-ranking.
        reranked: The same protocol's results of re-ranking, if they were asked for.
    """

    protocol: Protocol
    selection: Selection
    ranks: tuple[int, ...]
    blank_ranks: tuple[int, ...]
    match_ranks: np.ndarray
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray
    reranking: Reranking | None = None
    reranked: "Evaluation | None" = None

    @property
    def gallery_size(self) -> int:
        """Number of gallery images (the same in every trial: each identity and camera gives as many)."""
        return len(self.selection.galleries[0])

    @property
    def valid_by_trial(self) -> np.ndarray:
        """Number of queries that have a match, (T,) int64.

        It differs between trials where a camera saw an identity at several places, and a gallery may hold an image
        of the query's own place or of another.
        """
        return (self.match_ranks > 0).sum(axis=1)

    @property
    def valid_queries(self) -> int:
        """Number of queries that have a match, in the trial with the fewest."""
        return int(self.valid_by_trial.min())

    @property
    def skipped_queries(self) -> int:
        """Number of queries without a match, which are in no mean, in the trial with the most."""
        return self.match_ranks.shape[1] - self.valid_queries

    @cached_property
    def cmc(self) -> np.ndarray:
        """Cumulative matching characteristic, (T, length) float64 in [0, 1]; column k - 1 is rank k."""
        length = cmc_length(self.protocol, self.selection)
        return np.stack([cumulative_matching(torch.from_numpy(row), length).numpy() for row in self.match_ranks])

    @cached_property
    def metrics(self) -> dict[str, np.ndarray]:
        """Name (`rank1`, ..., `mAP`, `mINP`) -> (T,) float64 in [0, 1]."""
        return {f"rank{rank}": self.cmc[:, rank - 1] for rank in self.ranks} | {
            "mAP": np.nanmean(self.average_precision, axis=1),
            "mINP": np.nanmean(self.inverse_negative_penalty, axis=1),
        }

    @property
    def means(self) -> dict[str, float]:
        """Name -> mean over the trials, in [0, 1]."""
        return {name: float(values.mean()) for name, values in self.metrics.items()}

    @property
    def deviations(self) -> dict[str, float]:
        """Name -> standard deviation over the trials (of the T values, not of a population behind them)."""
        return {name: float(values.std()) for name, values in self.metrics.items()}

    @cached_property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """Name -> 95 % confidence interval of the mean over the trials, see `bootstrap.confidence_intervals`."""
        asked = np.stack([self.selection.query_pids[positions] for positions in self.selection.asked])
        ranks = np.where(self.match_ranks > 0, self.match_ranks, np.nan)
        scores = {f"rank{rank}": np.where(np.isnan(ranks), np.nan, ranks <= rank) for rank in self.ranks} | {
            "mAP": self.average_precision,
            "mINP": self.inverse_negative_penalty,
        }
        return dict(zip(scores, confidence_intervals(asked, np.stack(list(scores.values()))), strict=True))


def cmc_length(protocol: Protocol, selection: Selection) -> int:
    """Return the number of ranks of a protocol's CMC: the identities or the images of a gallery."""
    return selection.identities if protocol.cmc_counting == "identity" else len(selection.galleries[0])


def evaluate_protocols(
    features: Features, protocols: Sequence[Protocol], ranks: Sequence[int]
) -> list[Evaluation]:
    """Evaluate several protocols behind one progress bar.

    Distances are computed once for all protocols that share them (SYSU-MM01's four settings do).

    Raises:
        UserError: As `evaluate`; all protocols are checked before the first is evaluated.
    """
    selections = [select_images(features, protocol) for protocol in protocols]
    groups = grouped_by(_SHARED, protocols)
    works = [_SharedDistances(features, [(protocols[i], selections[i]) for i in group]) for group in groups]
    evaluations: dict[int, Evaluation] = {}
    with progress("evaluate", sum(work.distances for work in works), "distances") as bar:
        for group, work in zip(groups, works, strict=True):
            evaluations |= zip(group, work.evaluate(ranks, bar.advance), strict=True)
    return [evaluations[index] for index in range(len(protocols))]


def grouped_by(names: Sequence[str], protocols: Sequence[Protocol]) -> list[list[int]]:
    """Group protocols that are equal in some attributes, by their places in the sequence."""
    groups: dict[tuple, list[int]] = {}
    for place, protocol in enumerate(protocols):
        groups.setdefault(tuple(getattr(protocol, name) for name in names), []).append(place)
    return list(groups.values())


def evaluate(features: Features, protocol: Protocol, ranks: Sequence[int]) -> Evaluation:
    """Evaluate one protocol.

    Args:
        features: Embeddings of the test images.
        protocol: What to do with them.
        ranks: Ranks of the CMC to report, as far as the gallery goes.

    Raises:
        UserError: If the protocol is for another data set, finds no query or no gallery image, or leaves no query
            with a match.
    """
    selection = select_images(features, protocol)
    return _SharedDistances(features, [(protocol, selection)]).evaluate(ranks, lambda distances: None)[0]


class _SharedDistances:
    """Protocols that share their distances, with the queries and the pool of them all.

    Attributes:
        distances: How many distances there are between them.
    """

    def __init__(self, features: Features, chosen: Sequence[tuple[Protocol, Selection]]):
        self._features, self._chosen = features, chosen
        images = features.group(chosen[0][0].gallery_modality)
        self._rows = np.unique(np.concatenate([rows for _, selection in chosen for rows in selection.query_rows]))
        pool = np.unique(np.concatenate([selection.pool for _, selection in chosen]))
        self._pool = pool[ranking_order(images, pool)]
        self.distances = len(self._rows) * len(self._pool)

    def evaluate(self, ranks: Sequence[int], advance: Callable[[int], None]) -> list[Evaluation]:
        """Score every query in every gallery, each gallery once, and share the scores out."""
        protocol = self._chosen[0][0]
        position = np.empty(self._pool.max() + 1, np.int64)
        position[self._pool] = np.arange(len(self._pool))
        galleries = [position[rows] for _, selection in self._chosen for rows in selection.gallery_rows]
        distinct: dict[bytes, int] = {}
        numbers = [distinct.setdefault(gallery.tobytes(), len(distinct)) for gallery in galleries]
        scores = score(
            GalleryPool(self._features, protocol, self._pool),
            self._rows,
            [np.frombuffer(gallery, np.int64) for gallery in distinct],
            protocol.cmc_counting,
            advance,
        )
        evaluations = []
        for protocol, selection in self._chosen:
            trials, numbers = numbers[: protocol.trials], numbers[protocol.trials :]
            evaluations.append(self._evaluation(protocol, selection, ranks, scores, trials))
        return evaluations

    def _evaluation(
        self, protocol: Protocol, selection: Selection, ranks: Sequence[int], scores: Scores, trials: Sequence[int]
    ) -> Evaluation:
        """Take a protocol's own queries and galleries: (R, T) -> (trials, Q)."""
        rows = [np.searchsorted(self._rows, queries) for queries in selection.query_rows]
        match_ranks, precision, penalty = (
            np.stack([values[asked, trial] for asked, trial in zip(rows, trials, strict=True)])
            for values in (scores.match_ranks, scores.average_precision, scores.inverse_negative_penalty)
        )
        length = cmc_length(protocol, selection)
        reported, blank = (tuple(rank for rank in ranks if (rank <= length) == fits) for fits in (True, False))
        evaluation = Evaluation(protocol, selection, reported, blank, match_ranks, precision, penalty)
        _check_matches(evaluation)
        return evaluation


def _check_matches(evaluation: Evaluation) -> None:
    """Refuse a trial in which no mean can be taken."""
    if not (evaluation.match_ranks > 0).any(axis=1).all():
        raise UserError(
            evaluation.protocol.name,
            "no query has a match in the gallery",
            expected="identities that both the query and the gallery cameras saw",
            found=f"{evaluation.match_ranks.shape[1]} queries, all without a match",
            remedy="check identities, cameras and locations in the features file, or leave this protocol out",
        )
