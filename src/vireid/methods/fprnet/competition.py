"""Choosing between two blocks that predict the same identities."""

from typing import Literal

from torch import Tensor

from vireid.losses.accuracy import top1_hits, top1_rate

Rule = Literal["rate", "hits"]


def first_wins(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], rule: Rule) -> Tensor:
    """Whether the first block does at least as well as the second, a boolean scalar.

    Args:
        first: Its logits (B, N) and labels (B,).
        second: Likewise, possibly of another number of rows.
        rule: Compare the share of hits (`rate`), or their number (`hits`), which favours the block with more rows.
    """
    score = top1_rate if rule == "rate" else top1_hits
    return score(*first) >= score(*second)
