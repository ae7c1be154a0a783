"""Choosing between two blocks that predict the same identities."""

from typing import Literal

from torch import Tensor

from vireid.losses.accuracy import top1_hits
from vireid.losses.gather import Gather

Rule = Literal["rate", "hits"]


def first_wins(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], rule: Rule, everyone: Gather
) -> Tensor:
    """Whether the first block does at least as well as the second in the whole batch, a boolean scalar.

    Args:
        first: Its logits (B, N) and labels (B,).
        second: Likewise, possibly of another number of rows.
        rule: Compare the share of hits (`rate`), or their number (`hits`), which favours the block with more rows.
        everyone: Gathers the hits of all processes, which have equally many rows of a block.
    """
    scores = []
    for logits, labels in (first, second):
        hits = everyone(top1_hits(logits, labels)[None]).sum()
        scores.append(hits / max(1, len(labels)) if rule == "rate" else hits)
    return scores[0] >= scores[1]
