"""Batches as the training loop makes them, for the tests of the methods: visible images first, then infrared ones.

The j-th visible and the j-th infrared image show one identity. A batch may also lack a spectrum.
"""

from dataclasses import replace

import torch
from torch import Tensor

from vireid.data.records import Modality
from vireid.losses.gather import alone
from vireid.methods.base import Batch, Embedder, Method, Step


def paired_batch(labels: list[int], height: int, width: int, seed: int = 0) -> Batch:
    """Noise for one visible and one infrared image per label."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(2 * len(labels), 3, height, width, generator=generator)
    return Batch(images, torch.tensor(labels).repeat(2), len(labels))


def of_one_spectrum(batch: Batch, modality: Modality) -> Batch:
    """The same images as if all were of one spectrum, so that the batch lacks the other."""
    return replace(batch, visible=len(batch.labels) if modality is Modality.VISIBLE else 0)


def step_on(method: Method, batch: Batch) -> Step:
    """One step on a single process."""
    return method(batch, alone)


def losses_of(method: Method, batch: Batch) -> dict[str, Tensor]:
    """Unweighted losses of one step."""
    return step_on(method, batch).losses


def weighted_sum(method: Method, losses: dict[str, Tensor]) -> Tensor:
    """What the training loop minimises."""
    return sum(method.loss_weights[name] * loss for name, loss in losses.items())


def embed_all(model: Embedder, batch: Batch) -> dict[str, Tensor]:
    """Embeddings of every image of a batch, each by its own spectrum, in the batch's order."""
    rows = {modality: batch.images[batch.rows(modality)] for modality in Modality}
    parts = [model.embed(images, modality) for modality, images in rows.items() if len(images)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
