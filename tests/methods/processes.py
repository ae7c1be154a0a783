"""Two processes that train methods together by gloo on the CPU, for the tests."""

from copy import deepcopy
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.methods.batches import paired_batch, weighted_sum
from tests.methods.cases import Case
from vireid.losses.gather import gather_over
from vireid.losses.pentaplet import pentaplet_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods import build_method
from vireid.methods.base import Method

STEPS = 2  # in an epoch
LABELS = ([2, 0, 1, 3], [1, 1, 3, 0])  # of each process's pairs
# Losses that compare the rows of both, by name.
COMPARING = {
    "triplet": partial(batch_hard_triplet_loss, margin=1.0),
    "pentaplet": partial(pentaplet_loss, visible=len(LABELS[0]), margin=1.0),
}

# The parameters by name after each epoch.
Course = list[dict[str, Tensor]]


def train_in_two_processes(folder: Path, cases: dict[str, Case], epochs: int) -> dict[str, tuple[Course, Course]]:
    """Train every case together; each process has batches of its own, and its parameters are returned."""
    multiprocessing.spawn(_train, (folder, cases, epochs), nprocs=2)
    return {name: tuple(torch.load(folder / f"{name}-{rank}.pt") for rank in range(2)) for name in cases}


def _train(rank: int, folder: Path, cases: dict[str, Case], epochs: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for name in COMPARING:
        torch.save(_gradient(name, rank), folder / f"{name}-{rank}.pt")
    for name, case in cases.items():
        torch.manual_seed(0)
        torch.save(_trained(build_method(*deepcopy(case)), rank, epochs), folder / f"{name}-{rank}.pt")
    distributed.destroy_process_group()


def _trained(method: Method, rank: int, epochs: int) -> Course:
    # Not told of parameters that may go without a gradient: one stops the training.
    together = DistributedDataParallel(method)
    optimizer = torch.optim.SGD(method.param_groups(0.05), momentum=0.9, nesterov=True, weight_decay=5e-4)
    rates = [group["lr"] for group in optimizer.param_groups]
    history, course = [], []
    for epoch in range(epochs):
        method.on_epoch(epoch, history)
        factors = method.lr_factors(epoch) or [1.0] * len(rates)
        for group, rate, factor in zip(optimizer.param_groups, rates, factors, strict=True):
            group["lr"] = rate * factor
        for step in range(STEPS):
            size = method.takes_only or (32, 16)
            batch = paired_batch(LABELS[rank], *size, seed=100 * rank + 10 * epoch + step)
            result = together(batch, gather_over(2))
            optimizer.zero_grad()
            weighted_sum(method, result.losses).backward()
            optimizer.step()
        history.append({f"loss/{name}": 1.0 for name in result.losses})
        course.append({name: parameter.detach().clone() for name, parameter in method.named_parameters()})
    return course


def compared_rows(rank: int) -> tuple[Tensor, Tensor]:
    """Embeddings and labels of a process's pairs, for a loss that compares those of both."""
    generator = torch.Generator().manual_seed(rank)
    return torch.randn(8, 3, generator=generator), torch.tensor(2 * LABELS[rank])


def _gradient(name: str, rank: int) -> Tensor:
    """The gradient of both processes' losses of a name at the embeddings of one."""
    embeddings, labels = compared_rows(rank)
    embeddings.requires_grad_()
    COMPARING[name](embeddings, labels, everyone=gather_over(2)).backward()
    return embeddings.grad
