"""Choosing between two blocks that predict the same identities."""

from typing import Literal

from torch import Tensor

Rule = Literal["rate", "hits"]


def top1_hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of rows whose largest logit is the label's, a scalar."""
    return (logits.argmax(dim=1) == labels).float().sum()


def top1_rate(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of rows whose largest logit is the label's, a scalar in [0, 1]; zero where there are no rows."""
    return top1_hits(logits, labels) / max(1, len(labels))


def first_wins(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], rule: Rule) -> Tensor:
    """Whether the first block does at least as well as the second, a boolean scalar.

    Args:
        first: Its logits (B, N) and labels (B,).
        second: Likewise, possibly of another number of rows.
        rule: Compare the share of hits (`rate`), or their number (`hits`), which favours the block with more rows.
    """
    score = top1_rate if rule == "rate" else top1_hits
    return score(*first) >= score(*second)
