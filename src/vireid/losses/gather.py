"""Losses that compare images see those of all processes."""

from collections.abc import Callable

from torch import Tensor

Gather = Callable[[Tensor], Tensor]
"""Rows (B, ...) of this process to the rows of all processes, with gradient; on one process the same rows."""


def alone(rows: Tensor) -> Tensor:
    """Gather on a single process: the rows themselves."""
    return rows
