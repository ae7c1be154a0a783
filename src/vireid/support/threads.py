"""Threads that share the cores: each computes alone, where torch would start a team of threads in every one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch

_MANY = 8  # threads, of which more would only wait for Python's lock


@contextmanager
def lone_threads(count: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Open a pool of threads in which torch's operations take no other thread.

    Where the block ends, by an error too, work that has not begun is dropped, and what has begun is waited for.

    Args:
        count: How many; by default as many as torch takes, up to eight.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count or min(before, _MANY), initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # what threads that begin from now on take
