"""Batches of training images, prepared ahead of the steps that use them."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from vireid.data.augmentation import augmented, draw_changes
from vireid.data.identities import require_even_shares
from vireid.data.randomness import Stream, generator
from vireid.data.samplers import IdentityBalancedSampler
from vireid.data.stored_images import StoredImages
from vireid.methods.base import Batch
from vireid.params import Train
from vireid.support.progress import progress
from vireid.support.threads import lone_threads
from vireid.training.data import TrainingImages, copied

Source = np.ndarray | StoredImages | Tensor  # (N, H, W, 3) uint8

_AHEAD = 2  # batches per worker
_SHARE_OF_DEVICE = 0.5  # of its free memory, that images may take


class Loader:
    """Draws, augments and normalises an epoch's batches; each depends on (seed, epoch, step) alone.

    Several processes share a batch: each has all images of as many of its identities. Which images there are and
    how they are changed does not depend on the number of processes.

    Images are taken from a GPU's memory where they fit there, else from where `load_training_images` left them.

    Args:
        images: What to draw from.
        settings: Batches and augmentation.
        seed: The run's seed.
        device: Where batches are wanted.
        workers: Threads that prepare batches; 0 prepares each when it is asked for.
        rank: Number of this process.
        processes: How many share a batch.

    Raises:
        UserError: If a batch's identities cannot be shared evenly.
    """

    def __init__(
        self,
        images: TrainingImages,
        settings: Train,
        seed: int,
        device: torch.device,
        workers: int,
        rank: int = 0,
        processes: int = 1,
    ):
        require_even_shares(settings.num_pids, processes)
        self.sampler = IdentityBalancedSampler(
            images.labels, settings.num_pids, settings.num_instances, settings.steps_per_epoch, seed
        )
        size = settings.num_pids * settings.num_instances // processes
        self._share = slice(rank * size, (rank + 1) * size)  # of the rows of each spectrum
        self._names = [part.name for part in images.fitted]
        self._labels, self._sources = images.labels, _on_device([part.image for part in images.fitted], device)
        self._augmentation, self._seed, self._device, self._workers = settings.augmentation, seed, device, workers

    def __len__(self) -> int:
        """Batches per epoch."""
        return len(self.sampler)

    def names(self, epoch: int, step: int) -> list[str]:
        """Name the images of a batch, of all processes, the visible ones first."""
        rows = next(islice(self.sampler.epoch(epoch), step, None))
        return [str(every[row]) for every, chosen in zip(self._names, rows, strict=True) for row in chosen]

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Yield this process's shares of the batches of an epoch, numbered from 0, in order, from the first on."""
        steps = islice(enumerate(self.sampler.epoch(epoch)), first, None)
        if not self._workers:
            yield from (self._batch(epoch, step, rows) for step, rows in steps)
            return
        pending: deque[Future[Batch]] = deque()
        with lone_threads(self._workers) as pool:  # a team, idle too, would take the cores from the step
            for step, rows in steps:
                pending.append(pool.submit(self._batch, epoch, step, rows))
                if len(pending) > _AHEAD * self._workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _batch(self, epoch: int, step: int, rows: tuple[np.ndarray, np.ndarray]) -> Batch:
        rng = generator(self._seed, Stream.AUGMENTATION, epoch, step)
        visible, infrared = map(len, rows)
        own_rows = [chosen[self._share] for chosen in rows]
        pixels = torch.cat([_taken(*pair, self._device) for pair in zip(self._sources, own_rows, strict=True)])
        labels = np.concatenate([every[chosen] for every, chosen in zip(self._labels, own_rows, strict=True)])
        _, height, width, _ = pixels.shape
        changes = draw_changes(visible, infrared, height, width, self._augmentation, rng)
        of_share = np.concatenate([np.arange(visible)[self._share], visible + np.arange(infrared)[self._share]])
        images = augmented(pixels, changes.part(of_share), self._augmentation.pad)
        return Batch(images, torch.from_numpy(labels).to(self._device), len(own_rows[0]))


def _on_device(sources: Sequence[np.ndarray | StoredImages], device: torch.device) -> list[Source]:
    """Copy images into a GPU's memory if they leave plenty of it free."""
    if device.type != "cuda":
        return list(sources)
    free, _ = torch.cuda.mem_get_info(device)
    if sum(source.nbytes for source in sources) > _SHARE_OF_DEVICE * free:
        return list(sources)
    with progress("copy images to the GPU", sum(map(len, sources)), "images") as bar:
        return [copied(source, device, bar) for source in sources]


def _taken(source: Source, rows: np.ndarray, device: torch.device) -> Tensor:
    """Take some images, (len(rows), H, W, 3) uint8."""
    if isinstance(source, Tensor):
        return source[torch.from_numpy(rows).to(device)]
    return torch.from_numpy(np.asarray(source[rows])).to(device)
