"""Random numbers whose stream is the same on every machine and with every NumPy release."""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Purpose(IntEnum):
    """What a stream of random numbers is for; part of its seed, so that streams never meet."""

    IDENTITY = 1
    IMAGE = 2
    SCENE = 3
    NOISE = 4
    SHEET = 5
    SPLIT = 6


class Draw:
    """A seeded source of the few kinds of random value that the synthetic world needs.

    It rests on `RandomState`, whose streams NumPy has promised never to change; `Generator`'s may change.

    Args:
        seed: The data set's seed.
        stream: What the numbers are for.
        *key: Further integers that single out the stream, such as pid, camid and image number.
    """

    def __init__(self, seed: int, stream: Purpose, *key: int):
        sequence = np.random.SeedSequence([seed, int(stream), *key])
        self.state = np.random.RandomState(np.random.PCG64(sequence))

    def uniform(self, low: float, high: float) -> float:
        """Draw from [low, high)."""
        return low + (high - low) * self.state.random_sample()

    def normal(self, mean: float, deviation: float, limit: float = 2.5) -> float:
        """Draw from a normal distribution, cut at `limit` deviations."""
        return mean + deviation * min(max(self.state.standard_normal(), -limit), limit)

    def chance(self, probability: float) -> bool:
        """Return True with the given probability."""
        return self.state.random_sample() < probability

    def among(self, options: Sequence[T]) -> T:
        """Pick one option, all equally likely."""
        return options[int(self.state.random_sample() * len(options))]

    def weighted(self, weights: Mapping[T, float]) -> T:
        """Pick one key, as likely as its weight says."""
        left = self.state.random_sample() * sum(weights.values())
        for option, weight in weights.items():
            left -= weight
            if left < 0:
                return option
        return option
