"""Independent streams of random numbers from the one seed of a run."""

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """What random numbers are drawn for; two uses never share a stream."""

    HOLDOUT = 1
    SAMPLING = 2
    AUGMENTATION = 3
    SUPERRESOLUTION_HOLDOUT = 4


def generator(seed: int, stream: Stream, *key: int) -> np.random.Generator:
    """Make the generator of one use, for example of one (epoch, step).

    The key's length is part of it: NumPy alone gives [seed, 1] and [seed, 1, 0] the same numbers.
    """
    return np.random.default_rng([seed, stream, len(key), *key])
