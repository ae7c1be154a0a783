"""Processes that train together, played by threads: each waits at every gathering, one graph holds all of them.

So the gradient of their mean is what the processes' average would be, without a network between them.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import torch
from torch import Tensor

from vireid.losses.gather import Gather

T = TypeVar("T")
_SECONDS = 60  # after which a process that gathers less often than the others has failed


def in_lockstep(count: int, process: Callable[[int, Gather], T]) -> list[T]:
    """Call `process(rank, everyone)` for each rank at once, and return what they return."""
    barrier, slots = Barrier(count, timeout=_SECONDS), [torch.empty(0)] * count

    def run(rank: int) -> T:
        def everyone(rows: Tensor) -> Tensor:
            slots[rank] = rows
            barrier.wait()
            gathered = torch.cat(slots)
            barrier.wait()
            return gathered

        try:
            return process(rank, everyone)
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
