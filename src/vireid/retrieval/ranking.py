"""Ranking metrics as pure functions: distances to sorting keys, keys to one value per query, values to means.

A key is one integer that holds a distance, the position in the gallery and whether it is a match. Sorting keys
therefore ranks a gallery with ties in gallery order, without a stable sort and without looking anything up.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

JUNK_KEY = torch.iinfo(torch.int64).max - 1  # behind every distance, and even: not a match


def ranking_keys(distmat: Tensor, match: Tensor, junk: Tensor) -> Tensor:
    """Turn distances into integers that sort like them, equal distances by their position in the gallery.

    Bits 63..32 order the distance, bits 31..1 are the position in the gallery, bit 0 is set for a match.

    Args:
        distmat: (Q, G) float32 without NaN, smaller is closer.
        match: (Q, G) bool, True where query and gallery image show the same identity.
        junk: (Q, G) bool, True where the query must ignore the gallery image, be it a match or not.

    Returns:
        (Q, G) int64, for `identity_ranks` and `ranked_hits`; columns may be selected.

    Raises:
        ValueError: If the distances are not float32 (others would be rounded without a word).

    Example:
        >>> keys = ranking_keys(torch.tensor([[0.5, 0.1, 0.5]]), torch.tensor([[True, False, False]]),
        ...                     torch.tensor([[False, False, False]]))
        >>> keys.argsort(dim=1)
        tensor([[1, 0, 2]])
    """
    if distmat.dtype != torch.float32:
        raise ValueError(f"distances are float32, not {distmat.dtype}")
    bits = (distmat + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    ordered = torch.where(bits < 0, bits ^ torch.iinfo(torch.int32).max, bits)  # IEEE 754: negatives run backwards
    position = torch.arange(distmat.shape[1], device=distmat.device)
    keys = ordered.long().bitwise_left_shift_(32).bitwise_or_(position << 1).bitwise_or_(match)
    return keys.masked_fill_(junk, JUNK_KEY)


def ranked_hits(keys: Tensor) -> Tensor:
    """Tell which places of each query's ranking hold a match; junk stands at the end and is none.

    Args:
        keys: (Q, G) int64 from `ranking_keys`.

    Returns:
        (Q, G) bool; column r - 1 is rank r.
    """
    if keys.device.type == "cpu":  # NumPy's vectorised sort: 7 times faster than torch's on int64
        ranked = torch.from_numpy(np.sort(keys.numpy(), axis=1))
    else:
        ranked = keys.sort(dim=1).values
    return (ranked & 1).bool()


def average_precision(hits: Tensor) -> Tensor:
    r"""Compute each query's average precision over its whole ranking (no interpolation).

    AP = 1/n * sum_i i / r_i, where r_1 < ... < r_n are the ranks of its n matches. Equals scikit-learn's
    `average_precision_score` where there are no ties, and the SYSU-MM01 authors' code.

    Args:
        hits: (Q, G) bool from `ranked_hits`.

    Returns:
        (Q,) float64 in (0, 1]; NaN for a query without a match.

    Example:
        >>> average_precision(torch.tensor([[True, False, True, False]]))
        tensor([0.8333], dtype=torch.float64)
    """
    query, rank, count = _matches(hits)
    before = count.cumsum(0) - count
    ordinal = torch.arange(1, len(query) + 1, device=hits.device) - before[query]
    total = torch.zeros(len(hits), dtype=torch.float64, device=hits.device)
    return total.index_add_(0, query, ordinal.double() / rank) / count


def inverse_negative_penalty(hits: Tensor) -> Tensor:
    """Compute what share of the ranking down to the last match consists of matches (its mean is mINP).

    INP = n / r_n, where r_n is the rank of the last of n matches. M. Ye et al., "Deep Learning for Person
    Re-Identification: A Survey and Outlook", TPAMI 2021.

    Args:
        hits: (Q, G) bool from `ranked_hits`.

    Returns:
        (Q,) float64 in (0, 1]; NaN for a query without a match.

    Example:
        >>> inverse_negative_penalty(torch.tensor([[True, False, True, False]]))
        tensor([0.6667], dtype=torch.float64)
    """
    query, rank, count = _matches(hits)
    last = torch.zeros(len(hits), dtype=torch.int64, device=hits.device)
    return count.double() / last.scatter_reduce_(0, query, rank, "amax")


def _matches(hits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """List the few places that hold a match: query and rank, (M,) each, and how many each query has, (Q,)."""
    query, column = hits.nonzero(as_tuple=True)
    return query, column + 1, torch.bincount(query, minlength=len(hits))


def identity_ranks(keys: Tensor, gallery_pids: Tensor) -> Tensor:
    """Rank each query's identity among the gallery's identities, each standing at its closest image.

    This is the rank that the SYSU-MM01 authors' code counts ("de-duplicated by identity"); it equals
    `image_ranks` where that is 1 and is never above it.

    Args:
        keys: (Q, G) int64 from `ranking_keys`.
        gallery_pids: (G,) int.

    Returns:
        (Q,) int64 from 1; 0 for a query without a match.

    Example:
        >>> distmat, match = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[False, False, True]])
        >>> keys = ranking_keys(distmat, match, torch.zeros_like(match))
        >>> identity_ranks(keys, torch.tensor([7, 7, 8]))
        tensor([2])
    """
    pids, identity = gallery_pids.unique(return_inverse=True)
    nearest = keys.new_full((len(keys), len(pids)), JUNK_KEY)
    nearest.scatter_reduce_(1, identity.expand(keys.shape), keys, "amin")
    return image_ranks(nearest)


def image_ranks(keys: Tensor) -> Tensor:
    """Rank each query's closest match among all gallery images.

    Args:
        keys: (Q, G) int64 from `ranking_keys`.

    Returns:
        (Q,) int64 from 1; 0 for a query without a match.

    Example:
        >>> distmat, match = torch.tensor([[0.1, 0.2, 0.3]]), torch.tensor([[False, False, True]])
        >>> image_ranks(ranking_keys(distmat, match, torch.zeros_like(match)))
        tensor([3])
    """
    right = keys.masked_fill((keys & 1) == 0, JUNK_KEY).amin(1)
    rank = (keys < right[:, None]).sum(1) + 1
    return rank.where(right < JUNK_KEY, 0)


CMC_RANKS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "identity": identity_ranks,
    "image": lambda keys, gallery_pids: image_ranks(keys),
}


def cumulative_matching(ranks: Tensor, length: int) -> Tensor:
    """Compute the cumulative matching characteristic: the share of queries found at each rank or before.

    CMC(k) = |{q : 1 <= rank_q <= k}| / |{q : rank_q >= 1}|. Queries without a match (rank 0) are left out; count
    them beside it.

    Args:
        ranks: (Q,) int64 from `identity_ranks` or `image_ranks`; at least one is not 0.
        length: Number of ranks to return: the identities (or images) in the gallery.

    Returns:
        (length,) float64 in [0, 1], non-decreasing; entry k - 1 is the rank-k rate.

    Example:
        >>> cumulative_matching(torch.tensor([1, 3, 0, 1]), length=3)
        tensor([0.6667, 0.6667, 1.0000], dtype=torch.float64)
    """
    found = torch.bincount(ranks[ranks > 0], minlength=length + 1)[1 : length + 1]
    return found.cumsum(0).double() / (ranks > 0).sum()
