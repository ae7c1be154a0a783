"""Losses that compare images see those of all processes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, distributed

Gather = Callable[[Tensor], Tensor]
"""Rows (B, ...) of this process to the rows of all processes, with gradient; on one process the same rows."""


def gather_over(processes: int) -> Gather:
    """Return what gathers rows over a number of processes, those of torch's default process group."""
    return alone if processes == 1 else _AllRows.apply


def alone(rows: Tensor) -> Tensor:
    """Gather on a single process: the rows themselves."""
    return rows


class _AllRows(torch.autograd.Function):
    """The rows of all processes in their order; a process's rows get the gradient of every process's loss."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """(B, ...) to (number of processes x B, ...)."""
        parts = [torch.empty_like(rows) for _ in range(distributed.get_world_size())]
        distributed.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Sum over the processes, and return the part of this one's rows."""
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]
