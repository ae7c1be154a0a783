"""Independent streams of random numbers from the one seed of a run."""

from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike


class Stream(IntEnum):
    """What random numbers are drawn for; two uses never share a stream."""

    HOLDOUT = 1
    SAMPLING = 2
    AUGMENTATION = 3
    SUPERRESOLUTION_HOLDOUT = 4


def draw_holdout(pids: ArrayLike, count: int, seed: int, stream: Stream) -> np.ndarray:
    """Draw identities to hold out.

    Args:
        pids: (N,) identities, possibly repeated.
        count: How many to draw.
        seed: The run's seed.
        stream: What they are drawn for.

    Returns:
        (count,) sorted identities.
    """
    return np.sort(generator(seed, stream).choice(np.unique(pids), count, replace=False))


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """Make the generator of one use, for example of one (epoch, step).

    The key's length is part of it: NumPy alone gives [seed, 1] and [seed, 1, 0] the same numbers.
    """
    return np.random.default_rng([seed, stream, len(key), *key])
