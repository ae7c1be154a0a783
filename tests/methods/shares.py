"""A batch split over processes as the loader splits it, and the gradient that each of them has a part in."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tests.methods.batches import weighted_sum
from vireid.losses.gather import Gather
from vireid.methods.base import Batch, Method

INSTANCES = 2  # images of each identity and spectrum
Gradients = dict[str, Tensor]


def whole_batch(identities: int, height: int, width: int) -> Batch:
    """Noise in float64: identities 0, 1, ... with their images in a row, visible ones first."""
    labels = torch.arange(identities).repeat_interleave(INSTANCES)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2 * len(labels), 3, height, width, generator=generator, dtype=torch.float64)
    return Batch(images, labels.repeat(2), len(labels))


def share_of(batch: Batch, rank: int, processes: int) -> Batch:
    """The images of every identity that a process has: those of a contiguous part of the identities."""
    size = batch.visible // processes
    rows = torch.arange(rank * size, (rank + 1) * size)
    rows = torch.cat([rows, batch.visible + rows])
    return Batch(batch.images[rows], batch.labels[rows], size)


def frozen(method: Method) -> Method:
    """In float64, with fixed statistics and nothing drawn at random, in which processes would differ.

    It is put into a later epoch than the first, so that every term has a weight.
    """
    method = method.double().eval()
    method.on_epoch(1, [{f"loss/{name}": 1.0 for name in method.loss_weights}])
    return method


def loss_of(method: Method, batch: Batch, everyone: Gather) -> Tensor:
    """What is minimised, in float64: not by `Method.forward`, which computes losses in float32."""
    return weighted_sum(method, method.losses(method.outputs(batch), batch, everyone))


def gradients_of(loss: Tensor, method: Method) -> Gradients:
    """Of every parameter that learns."""
    named = {name: p for name, p in method.named_parameters() if p.requires_grad}
    values = torch.autograd.grad(loss, list(named.values()), allow_unused=True, materialize_grads=True)
    return dict(zip(named, values, strict=True))


def agree(gradients: Gradients, expected: Gradients, tolerance: float = 1e-9) -> None:
    """Compare gradients, relative to the largest entry of all."""
    scale = max(value.abs().max().item() for value in expected.values())
    assert scale > 0
    assert gradients.keys() == expected.keys()
    for name, value in expected.items():
        assert (gradients[name] - value).abs().max().item() <= tolerance * scale, name


Process = Callable[[int, Gather], Tensor]


def mean(parts: Sequence[Tensor]) -> Tensor:
    """What processes that train together minimise."""
    return torch.stack(list(parts)).mean()
