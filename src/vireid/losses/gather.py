"""Losses that compare images see those of all processes, and means are those of the whole batch.

Processes add their gradients up and divide by their number. So a loss that is a mean over images has the gradient
of one process on the whole batch by itself, as all processes have equally many. Where only some images count, or a
function of a mean is no straight line, the mean over all processes is needed before (`mean_over_everyone`).
"""

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


def mean_over_everyone(values: Tensor, weights: Tensor, everyone: Gather) -> Tensor:
    """Weighted mean over the rows of all processes, as this process's part of it.

    The mean of these parts over the processes is the weighted mean over all rows.

    Args:
        values: (B,) float, of this process.
        weights: (B,) bool or float, not negative; rows of weight zero do not count.
        everyone: Gathers rows over all processes.

    Returns:
        Scalar, attached to the graph; zero where no row counts.
    """
    all_weights = everyone(weights)
    processes = len(all_weights) // len(weights)
    total = all_weights.sum(dtype=values.dtype).clamp(min=torch.finfo(values.dtype).tiny)
    return processes * (values * weights).sum() / total


def mean_of_processes(value: Tensor, everyone: Gather) -> Tensor:
    """Mean of a scalar over all processes, with gradient."""
    return everyone(value[None]).mean()


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
