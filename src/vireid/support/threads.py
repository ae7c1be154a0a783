"""Threads that share the cores: each computes alone, where torch would start a team of threads in every one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")
_MANY = 16  # threads, as each has memory of its own


@contextmanager
def lone_threads(count: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Open a pool of threads in which torch's operations take no other thread.

    Where the block ends, by an error too, work that has not begun is dropped, and what has begun is waited for.

    Args:
        count: How many; by default as many as torch takes, up to sixteen.
    """
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(count or min(before, _MANY), initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(before)  # what threads that begin from now on take


def each_alone(work: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """Call a function as `map` does, beside each other in threads that compute alone.

    A single call is made in this thread, where torch takes all that it may.
    """
    calls = list(zip(*arguments, strict=True))
    if len(calls) == 1:
        return [work(*calls[0])]
    with lone_threads() as threads:
        return list(threads.map(lambda call: work(*call), calls))
