"""Rows cut into blocks, so that never all pairs are held at a time."""

from collections.abc import Iterator

import numpy as np


def slices(count: int, size: int) -> Iterator[slice]:
    """Cut `count` rows into blocks of at most `size`."""
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def blocks(count: int, size: int) -> Iterator[np.ndarray]:
    """Cut likewise, each block as the numbers of its rows."""
    return (np.arange(block.start, block.stop) for block in slices(count, size))
