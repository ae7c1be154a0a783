"""Scores of queries in many galleries of one pool: each distance is computed once, in blocks, and none is kept."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vireid.retrieval.blocks import slices
from vireid.retrieval.counting import Scores, Tally
from vireid.retrieval.gallery_pool import Compared, GalleryPool
from vireid.retrieval.ranking import JUNK_KEY

_QUERIES = 4096  # queries that are prepared at a time
_PREPARED = 1 << 24  # numbers of the gallery's embeddings that are prepared at a time, 128 MB
_TILE = 512, 2048  # queries and gallery images whose distances are held at a time, with keys and masks 50 MB
_COUNTS = 1 << 22  # counts held at a time: queries x matches x galleries


def score(
    pool: GalleryPool,
    rows: np.ndarray,
    galleries: Sequence[np.ndarray],
    counting: str,
    advance: Callable[[int], None],
) -> Scores:
    """Score queries in several galleries.

    Args:
        pool: The pool that the galleries are drawn from.
        rows: (Q,) rows of the query modality's group.
        galleries: T times (G,) ascending positions in the pool.
        counting: What the CMC counts, a key of `counting.CMC_RANKS`.
        advance: Told of the number of distances that were computed.

    Returns:
        (Q, T) scores.
    """
    members = np.zeros((len(pool.pids), len(galleries)), bool)
    for number, positions in enumerate(galleries):
        members[positions, number] = True
    gallery, order = _Gallery(pool), pool.by_identity(rows)
    blocks = []
    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        for block in slices(len(rows), _QUERIES):
            queries = pool.queries(rows[order[block]])
            blocks += _score_block(gallery, queries, members, counting, threads, advance)
    back = np.argsort(order)
    return Scores(
        *(np.concatenate([getattr(block, item.name) for block in blocks])[back] for item in fields(Scores))
    )


def _score_block(
    gallery: "_Gallery",
    queries: Compared,
    members: np.ndarray,
    counting: str,
    threads: Executor,
    advance: Callable[[int], None],
) -> list[Scores]:
    """Let the pool pass by some queries; as many at a time as their counts fit."""
    keys = gallery.match_keys(queries)
    scores = []
    for few in slices(len(queries), max(1, _COUNTS // (keys.shape[1] * members.shape[1]))):
        tally = Tally(keys[few], gallery.pool.pids, members, counting, threads)
        for part, first in gallery.tiles():
            for rows in slices(few.stop - few.start, _TILE[0]):
                tally.add(rows, gallery.pool.keys_between(queries[few][rows], part, first), first)
                advance((rows.stop - rows.start) * len(part))
        scores.append(tally.scores())
    return scores


class _Gallery:
    """A pool in prepared parts, of which the last one is kept: a pool of one part is prepared once."""

    def __init__(self, pool: GalleryPool):
        self.pool, self._pids = pool, pool.pids
        self._columns = slice(0, 0)
        self._part: Compared | None = None

    def _parts(self) -> Iterator[tuple[slice, Callable[[], Compared]]]:
        size = max(1, _PREPARED // self.pool.dimension)
        return ((columns, partial(self._prepared, columns)) for columns in parts(self._pids, size))

    def _prepared(self, columns: slice) -> Compared:
        if self._part is None or self._columns != columns:
            self._part = None  # two at once would be twice the memory
            self._columns, self._part = columns, self.pool.gallery(columns)
        return self._part

    def tiles(self) -> Iterator[tuple[Compared, int]]:
        """Yield neighbouring images, an identity always in one tile, and the position of the first of them."""
        for columns, prepared in self._parts():
            for tile in parts(self._pids[columns], _TILE[1]):
                yield prepared()[tile], columns.start + tile.start

    def match_keys(self, queries: Compared) -> Tensor:
        """Compute the keys of each query's matches in the pool, identity by identity.

        Args:
            queries: By identity.

        Returns:
            (Q, M) int64, ascending; `JUNK_KEY` where a query has no more. M is at least 1.
        """
        pids, starts, counts = np.unique(queries.pids, return_index=True, return_counts=True)
        begins, ends = (np.searchsorted(self._pids, pids, side) for side in ("left", "right"))
        keys = torch.full((len(queries), max(1, (ends - begins).max())), JUNK_KEY)
        for columns, prepared in self._parts():
            for i in np.flatnonzero((columns.start <= begins) & (begins < np.minimum(ends, columns.stop))):
                rows = slice(starts[i], starts[i] + counts[i])
                matches = prepared()[begins[i] - columns.start : ends[i] - columns.start]
                keys[rows, : len(matches)] = self.pool.keys_between(queries[rows], matches, int(begins[i]))
        return keys.sort(1).values


def parts(pids: np.ndarray, size: int) -> Iterator[slice]:
    """Cut a pool into parts of about `size` images, each identity in one part.

    Args:
        pids: (P,) int, ascending.
        size: Images in a part; more where one identity alone has more.

    Example:
        >>> list(parts(np.array([1, 1, 2, 3, 3, 3, 3]), 3))
        [slice(0, 3, None), slice(3, 7, None)]
    """
    start = 0
    while start < len(pids):
        stop = min(start + size, len(pids))
        if stop < len(pids):
            begins = int(np.searchsorted(pids, pids[stop]))  # of the identity that would be cut
            stop = begins if begins > start else int(np.searchsorted(pids, pids[start], "right"))
        yield slice(start, stop)
        start = stop
