"""From features and a protocol to results: values of every query and trial first, means last."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vireid.params import Reranking
from vireid.retrieval.comparison import Comparison
from vireid.retrieval.features import Features
from vireid.retrieval.galleries import Selection, select_images
from vireid.retrieval.protocols import Protocol
from vireid.retrieval.ranking import (
    CMC_RANKS,
    average_precision,
    cumulative_matching,
    inverse_negative_penalty,
    ranked_hits,
)
from vireid.support.errors import UserError
from vireid.support.progress import progress

_BLOCK_ITEMS = 1 << 20  # distances held at a time; about 50 MB with keys and masks


@dataclass(frozen=True)
class Evaluation:
    """Results of one protocol, for each trial and query.

    Attributes:
        protocol: What was done.
        selection: The queries and galleries.
        ranks: The ranks at which the CMC is reported.
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
    match_ranks: np.ndarray
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray
    reranking: Reranking | None = None
    reranked: "Evaluation | None" = None

    @property
    def gallery_size(self) -> int:
        """Number of gallery images (the same in every trial)."""
        return len(self.selection.galleries[0])

    @property
    def valid_queries(self) -> int:
        """Number of queries that have a match (the same in every trial: each cell gives an image)."""
        return int((self.match_ranks[0] > 0).sum())

    @property
    def skipped_queries(self) -> int:
        """Number of queries without a match, which are in no mean."""
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


def cmc_length(protocol: Protocol, selection: Selection) -> int:
    """Return the number of ranks of a protocol's CMC: the identities or the images of a gallery."""
    return selection.identities if protocol.cmc_counting == "identity" else len(selection.galleries[0])


def evaluate_protocols(
    features: Features, protocols: Sequence[Protocol], ranks: Sequence[int]
) -> list[Evaluation]:
    """Evaluate several protocols behind one progress bar.

    Raises:
        UserError: As `evaluate`; all protocols are checked before the first is evaluated.
    """
    selections = [_checked_selection(features, protocol, ranks) for protocol in protocols]
    with progress("evaluate", sum(len(selection.queries) for selection in selections), "queries") as bar:
        return [
            _evaluate(features, protocol, selection, ranks, bar.advance)
            for protocol, selection in zip(protocols, selections, strict=True)
        ]


def evaluate(features: Features, protocol: Protocol, ranks: Sequence[int]) -> Evaluation:
    """Evaluate one protocol.

    Args:
        features: Embeddings of the test images.
        protocol: What to do with them.
        ranks: Ranks of the CMC to report.

    Raises:
        UserError: If the protocol is for another data set, finds no query or no gallery image, has a gallery
            smaller than the largest rank, or leaves no query with a match.
    """
    selection = _checked_selection(features, protocol, ranks)
    return _evaluate(features, protocol, selection, ranks, lambda queries: None)


def _checked_selection(features: Features, protocol: Protocol, ranks: Sequence[int]) -> Selection:
    selection = select_images(features, protocol)
    length = cmc_length(protocol, selection)
    if max(ranks) > length:
        raise UserError(
            protocol.name,
            "a gallery smaller than the ranks asked for",
            expected=f"ranks of at most {length}, as the gallery has {length} of what the CMC counts "
            f"({protocol.cmc_counting})",
            found=f"rank {max(ranks)}",
            remedy=f"set evaluate.ranks to values of at most {length}, or use a larger data set",
        )
    return selection


def _evaluate(
    features: Features,
    protocol: Protocol,
    selection: Selection,
    ranks: Sequence[int],
    advance: Callable[[int], None],
) -> Evaluation:
    comparison = Comparison(features, protocol, selection.pool)
    pids = torch.from_numpy(comparison.pids)
    scored = []
    for queries in blocks(selection.queries, max(1, _BLOCK_ITEMS // len(selection.pool))):
        # Against all that can be drawn, once; a trial takes its columns.
        keys = comparison.keys(queries)
        scored.append([score(keys[:, gallery], pids[gallery], protocol) for gallery in selection.galleries])
        advance(len(queries))
    # (blocks, trials, values, queries of the block) -> for each value (trials, queries), those asked in each trial
    match_ranks, precisions, penalties = (
        _of_asked(
            np.concatenate([np.stack([trial[value] for trial in block]) for block in scored], axis=1), selection
        )
        for value in range(3)
    )
    if not (match_ranks > 0).any(axis=1).all():
        raise UserError(
            protocol.name,
            "no query has a match in the gallery",
            expected="identities that both the query and the gallery cameras saw",
            found=f"{match_ranks.shape[1]} queries, all without a match",
            remedy="check the identities in the features file, or leave this protocol out of evaluate.protocols",
        )
    return Evaluation(protocol, selection, tuple(ranks), match_ranks, precisions, penalties)


def _of_asked(values: np.ndarray, selection: Selection) -> np.ndarray:
    """Keep each trial's own queries: (T, R) -> (T, Q)."""
    return np.stack([values[trial, asked] for trial, asked in enumerate(selection.asked)])


def blocks(rows: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut rows into runs of `size`."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def score(keys: Tensor, gallery_pids: Tensor, protocol: Protocol) -> tuple[np.ndarray, ...]:
    """Return match ranks, average precisions and inverse negative penalties, each (B,)."""
    hits = ranked_hits(keys)
    values = (
        CMC_RANKS[protocol.cmc_counting](keys, gallery_pids),
        average_precision(hits),
        inverse_negative_penalty(hits),
    )
    return tuple(value.numpy() for value in values)
