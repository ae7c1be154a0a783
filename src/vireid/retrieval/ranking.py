"""Ranking metrics as pure functions: distances to sorting keys, ranks of matches to one value per query, to means.

A key is one integer that holds a distance, the position in the gallery and whether it is a match. Sorting keys
therefore ranks a gallery with ties in gallery order, without a stable sort and without looking anything up. How
ranks are counted from keys is in `counting`.
"""

import torch
from torch import Tensor

JUNK_KEY = torch.iinfo(torch.int64).max - 1  # behind every distance, and even: not a match


def ranking_keys(distmat: Tensor, match: Tensor, junk: Tensor, first: int = 0) -> Tensor:
    """Turn distances into integers that sort like them, equal distances by their position in the gallery.

    Bits 63..32 order the distance, bits 31..1 are the position in the gallery, bit 0 is set for a match.

    Args:
        distmat: (Q, G) float32 without NaN, smaller is closer.
        match: (Q, G) bool, True where query and gallery image show the same identity.
        junk: (Q, G) bool, True where the query must ignore the gallery image, be it a match or not.
        first: Position of the first column, where the columns are a part of a gallery.

    Returns:
        (Q, G) int64; columns may be selected, and parts of a gallery compared.

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
    position = torch.arange(first, first + distmat.shape[1], device=distmat.device)
    keys = ordering_bits(distmat).bitwise_or_(position << 1).bitwise_or_(match)
    return keys.masked_fill_(junk, JUNK_KEY)


def ordering_bits(distances: Tensor) -> Tensor:
    """Put float32 distances without NaN into bits 63..32 of int64, which sort like them; the others are zero."""
    bits = (distances + 0.0).view(torch.int32)  # + 0.0 makes -0.0 equal to 0.0
    ordered = torch.where(bits < 0, bits ^ torch.iinfo(torch.int32).max, bits)  # IEEE 754: negatives run backwards
    return ordered.long().bitwise_left_shift_(32)


def key_positions(keys: Tensor) -> Tensor:
    """Read the positions in the gallery, int64, from keys that are not junk."""
    return keys.bitwise_right_shift(1).bitwise_and_(torch.iinfo(torch.int32).max)


def average_precision(ranks: Tensor) -> Tensor:
    r"""Compute each query's average precision over its whole ranking (no interpolation).

    AP = 1/n * sum_i i / r_i, where r_1 < ... < r_n are the ranks of its n matches. Equals scikit-learn's
    `average_precision_score` where there are no ties, and the SYSU-MM01 authors' code.

    Args:
        ranks: (..., M) int64, for each query the ranks of its matches in ascending order, from 1; zeros, which may
            stand anywhere, are left out.

    Returns:
        (...) float64 in (0, 1]; NaN for a query without a match.

    Example:
        >>> average_precision(torch.tensor([[1, 3]]))
        tensor([0.8333], dtype=torch.float64)
    """
    matched = ranks > 0
    precisions = (matched.cumsum(-1).double() / ranks).where(matched, 0)
    return precisions.cumsum(-1)[..., -1] / matched.sum(-1)  # in the order of the ranks, whatever else M counts


def inverse_negative_penalty(ranks: Tensor) -> Tensor:
    """Compute what share of the ranking down to the last match consists of matches (its mean is mINP).

    INP = n / r_n, where r_n is the rank of the last of n matches. M. Ye et al., "Deep Learning for Person
    Re-Identification: A Survey and Outlook", TPAMI 2021.

    Args:
        ranks: (..., M) int64, see `average_precision`.

    Returns:
        (...) float64 in (0, 1]; NaN for a query without a match.

    Example:
        >>> inverse_negative_penalty(torch.tensor([[1, 3]]))
        tensor([0.6667], dtype=torch.float64)
    """
    return (ranks > 0).sum(-1).double() / ranks.amax(-1)


def image_ranks(ranks: Tensor) -> Tensor:
    """Rank each query's closest match among all gallery images.

    Args:
        ranks: (..., M) int64, see `average_precision`.

    Returns:
        (...) int64 from 1; 0 for a query without a match.

    Example:
        >>> image_ranks(torch.tensor([[3, 5], [0, 0]]))
        tensor([3, 0])
    """
    never = torch.iinfo(torch.int64).max
    first = ranks.masked_fill(ranks == 0, never).amin(-1)
    return first.masked_fill_(first == never, 0)


def cumulative_matching(ranks: Tensor, length: int) -> Tensor:
    """Compute the cumulative matching characteristic: the share of queries found at each rank or before.

    CMC(k) = |{q : 1 <= rank_q <= k}| / |{q : rank_q >= 1}|. Queries without a match (rank 0) are left out; count
    them beside it.

    Args:
        ranks: (Q,) int64 from 1, 0 for a query without a match; at least one is not 0.
        length: Number of ranks to return: the identities (or images) in the gallery.

    Returns:
        (length,) float64 in [0, 1], non-decreasing; entry k - 1 is the rank-k rate.

    Example:
        >>> cumulative_matching(torch.tensor([1, 3, 0, 1]), length=3)
        tensor([0.6667, 0.6667, 1.0000], dtype=torch.float64)
    """
    first_places = torch.bincount(ranks[ranks > 0], minlength=length + 1)[1 : length + 1]
    return first_places.cumsum(0).double() / (ranks > 0).sum()
