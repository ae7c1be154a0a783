"""How many rows of logits are right: for curves, and for choosing between two blocks."""

from torch import Tensor


def top1_hits(logits: Tensor, labels: Tensor) -> Tensor:
    """Number of rows whose largest logit is the label's, a scalar."""
    return (logits.argmax(dim=1) == labels).float().sum()


def top1_rate(logits: Tensor, labels: Tensor) -> Tensor:
    """Share of rows whose largest logit is the label's, a scalar in [0, 1]; zero where there are no rows."""
    return top1_hits(logits, labels) / max(1, len(labels))
