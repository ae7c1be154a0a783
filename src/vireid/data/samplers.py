"""Identity-balanced sampling over both modalities."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vireid.data.randomness import Stream, generator


@dataclass(frozen=True)
class IdentityBalancedSampler:
    """Batches of P identities with K visible and K infrared images each.

    Every epoch goes through the identities in a new random order, as often as it needs to fill its steps; those
    left over when their number is no multiple of P wait for the next order. An identity's K images are drawn
    without repetition where it has K. The batches of an epoch depend on (seed, epoch) alone, so a resumed
    training sees the same ones.

    Attributes:
        labels: (visible labels (N,), infrared labels (M,)), contiguous from 0.
        num_pids: P, identities per batch.
        num_instances: K, images per identity and modality.
        steps: Batches per epoch, or `full` for as many as show as many visible images as there are.
        seed: The run's seed.

    Raises:
        ValueError: If there are fewer than P identities.
    """

    labels: tuple[np.ndarray, np.ndarray]
    num_pids: int
    num_instances: int
    steps: int | Literal["full"]
    seed: int

    def __post_init__(self) -> None:
        num_labels = len(np.unique(self.labels[0]))
        if num_labels < self.num_pids:
            raise ValueError(f"{self.num_pids} identities per batch, but only {num_labels} to draw from")

    def __len__(self) -> int:
        if self.steps == "full":
            return max(1, len(self.labels[0]) // (self.num_pids * self.num_instances))
        return self.steps

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (visible rows (P*K,), infrared rows (P*K,)); row j of both has the same identity."""
        rng = generator(self.seed, Stream.SAMPLING, epoch)
        rows = tuple(_rows_by_label(labels) for labels in self.labels)
        pids = _endless_permutations(len(rows[0]), self.num_pids, rng)
        for _ in range(len(self)):
            chosen = next(pids)
            visible, infrared = (
                np.concatenate([self._draw(by_label[pid], rng) for pid in chosen]) for by_label in rows
            )
            yield visible, infrared

    def _draw(self, rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.choice(rows, self.num_instances, replace=len(rows) < self.num_instances)


def _rows_by_label(labels: np.ndarray) -> Sequence[np.ndarray]:
    return [np.flatnonzero(labels == label) for label in range(labels.max() + 1)]


def _endless_permutations(count: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield groups of `size` distinct numbers below `count`, one permutation after the other."""
    while True:
        order = rng.permutation(count)
        for start in range(0, count - size + 1, size):
            yield order[start : start + size]
