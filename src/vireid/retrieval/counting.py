"""Ranks of matches by counting what stands before them, for many galleries at once and without whole rankings.

A query has few matches and a gallery many images. So the keys of the matches come first; then the pool that
galleries are drawn from passes by in parts, and a `Tally` counts, for each match and gallery, the images before
it. A part is sorted once for all galleries; neither the distances to the whole pool nor a ranking is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from vireid.retrieval.ranking import (
    JUNK_KEY,
    average_precision,
    image_ranks,
    inverse_negative_penalty,
    key_positions,
)

_RANKS = 1 << 20  # ranks of matches turned into scores at a time


@dataclass(frozen=True)
class Scores:
    """What queries score in each gallery.

    Attributes:
        match_ranks: (Q, T) int64, rank of the right answer as the CMC counts it; 0 for a query without a match.
        average_precision: (Q, T) float64 in (0, 1], NaN for a query without a match.
        inverse_negative_penalty: (Q, T) float64 in (0, 1], NaN for a query without a match.
    """

    match_ranks: np.ndarray
    average_precision: np.ndarray
    inverse_negative_penalty: np.ndarray


class Tally:
    """For some queries, counts of what stands before their matches in each gallery.

    Args:
        match_keys: (Q, M) int64, the keys of each query's matches in the pool, ascending; `JUNK_KEY` where it has
            no more. M is at least 1.
        pids: (P,) int, the identities of the pool; the images of one identity stand together.
        members: (P, T) bool, which images of the pool are in which gallery.
        counting: What the CMC counts, a key of `CMC_RANKS`.
        threads: Where rows are sorted.
    """

    def __init__(
        self, match_keys: Tensor, pids: np.ndarray, members: np.ndarray, counting: str, threads: Executor
    ):
        self._match_keys, self._pids, self._members, self._threads = match_keys, pids, members, threads
        self._whole = bool(members.all())
        self._counting = counting
        self._before = torch.zeros(*match_keys.shape, members.shape[1], dtype=torch.int32)
        self._identities = torch.zeros(len(match_keys), members.shape[1], dtype=torch.int64)
        self._right = torch.cat([self._closest_matches(rows) for rows in self._row_blocks()])

    def add(self, rows: slice, keys: Tensor, first: int) -> None:
        """Count the images of one part of the pool.

        Args:
            rows: Which of the queries; start and stop are given.
            keys: (rows, C) int64 from `ranking.ranking_keys` for C neighbouring images of the pool; overwritten.
                No identity is in two parts.
            first: Position in the pool of the first of them.
        """
        keys.masked_fill_((keys & 1).bool(), JUNK_KEY)  # the order among matches is known
        members = self._members[first : first + keys.shape[1]]
        pids = self._pids[first : first + keys.shape[1]]
        if self._counting == "identity":
            galleries = [(columns, _starts(pids[columns])) for columns in map(np.flatnonzero, members.T)]
            right = self._right[rows].numpy()
            counted = self._in_threads(
                lambda part, rights: _closer_identities(part, rights, galleries), keys, right
            )
            self._identities[rows] += torch.from_numpy(np.concatenate(counted))
        self._in_threads(lambda part: part.sort(axis=1), keys)  # 7 times faster than torch's on int64
        places = torch.searchsorted(keys, self._match_keys[rows])
        if self._whole:
            self._before[rows] += places[:, :, None]
        else:
            self._before[rows] += _members_before(keys, places, first, torch.from_numpy(members).float())

    def scores(self) -> Scores:
        """Turn the counts into ranks and scores, after every part of the pool has been added."""
        blocks = []
        for rows in self._row_blocks():
            matched = self._matched(rows)
            ranks = (self._before[rows] + matched.cumsum(1)).masked_fill_(~matched, 0).movedim(1, 2)
            first = CMC_RANKS[self._counting](ranks, self._identities[rows])
            blocks.append((first, average_precision(ranks), inverse_negative_penalty(ranks)))
        return Scores(*(torch.cat(values).numpy() for values in zip(*blocks, strict=True)))

    def _matched(self, rows: slice) -> Tensor:
        """Tell which matches are in which gallery, (rows, M, T) bool."""
        keys = self._match_keys[rows]
        positions = key_positions(keys).clamp_(max=len(self._pids) - 1)
        return torch.from_numpy(self._members)[positions] & (keys < JUNK_KEY)[:, :, None]

    def _closest_matches(self, rows: slice) -> Tensor:
        """Return the key of each query's closest match in each gallery, (rows, T) int64."""
        return self._match_keys[rows][:, :, None].masked_fill(~self._matched(rows), JUNK_KEY).amin(1)

    def _row_blocks(self) -> Iterator[slice]:
        size = max(1, _RANKS // self._before[0].numel())
        starts = range(0, len(self._match_keys), size)
        return (slice(start, start + size) for start in starts)

    def _in_threads(self, work: Callable, keys: Tensor, *others: np.ndarray) -> list:
        """Do NumPy's work, which uses one thread, on pieces of the rows."""
        pieces = (np.array_split(matrix, torch.get_num_threads()) for matrix in (keys.numpy(), *others))
        return list(self._threads.map(work, *pieces))


def _closer_identities(
    keys: np.ndarray, right: np.ndarray, galleries: Sequence[tuple[np.ndarray, np.ndarray]]
) -> np.ndarray:
    """Count the identities of which an image stands before the closest match, (Q, T) int64.

    Args:
        keys: (Q, C) int64, junk and matches at the end.
        right: (Q, T) int64, the key of each query's closest match.
        galleries: For each gallery its columns and, among them, where an identity begins.
    """
    counts = np.zeros(right.shape, np.int64)
    for gallery, (columns, starts) in enumerate(galleries):
        if len(columns):
            drawn = keys if len(columns) == keys.shape[1] else keys.take(columns, axis=1)
            nearest = np.minimum.reduceat(drawn, starts, axis=1)
            counts[:, gallery] = (nearest < right[:, gallery, None]).sum(1)
    return counts


def _starts(pids: np.ndarray) -> np.ndarray:
    """Return where an identity begins, given that the images of one stand together."""
    return np.flatnonzero(np.diff(pids, prepend=pids[:1] - 1))


def _members_before(keys: Tensor, places: Tensor, first: int, members: Tensor) -> Tensor:
    """Count the images of each gallery before some places of a sorted part of the pool.

    Args:
        keys: (Q, C) int64, each row ascending.
        places: (Q, M) int64, ascending.
        first: Position in the pool of the part's first image.
        members: (C, T) float32, 1 for an image that is in a gallery and 0 for one that is not.

    Returns:
        (Q, M, T) int32.
    """
    queries, width = keys.shape
    order = (
        key_positions(keys).sub_(first).clamp_(max=width - 1)
    )  # junk stands behind every place and is not counted
    begins = torch.nn.functional.pad(places, (1, 0)) + torch.arange(queries)[:, None] * width
    # A bag is what stands between one place and the next; the last, behind every place, is dropped.
    between = embedding_bag(order.view(-1), members, begins.view(-1), mode="sum")  # whole numbers: exact
    return between.view(queries, -1, members.shape[1])[:, :-1].cumsum(1).int()


CMC_RANKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": lambda ranks, closer: (closer + 1).where((ranks > 0).any(-1), 0),
    "image": lambda ranks, closer: image_ranks(ranks),
}
