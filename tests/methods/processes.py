"""Processes that train methods together by gloo on the CPU, for the tests."""

from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.methods.batches import paired_batch, weighted_sum
from tests.methods.cases import Case
from tests.methods.shares import frozen, gradients_of, loss_of, share_of, whole_batch
from vireid.losses.gather import gather_over
from vireid.methods import build_method
from vireid.methods.base import Method

STEPS = 2  # in an epoch
LABELS = ([2, 0, 1, 3], [1, 1, 3, 0])  # of each process's pairs

# The parameters by name after each epoch.
Course = list[dict[str, Tensor]]


def train_in_two_processes(folder: Path, cases: dict[str, Case], epochs: int) -> dict[str, tuple[Course, Course]]:
    """Train every case together; each process has batches of its own, and its parameters are returned."""
    multiprocessing.spawn(_train, (folder, cases, epochs), nprocs=2)
    return {name: tuple(torch.load(folder / f"{name}-{rank}.pt") for rank in range(2)) for name in cases}


def shared_gradients(
    folder: Path, cases: dict[str, Case], processes: int, identities: int
) -> dict[str, dict[str, Tensor]]:
    """The processes' average gradient of every case, in float64, each with its share of one batch."""
    multiprocessing.spawn(_share, (folder, cases, processes, identities), nprocs=processes)
    return {name: torch.load(folder / f"{name}.pt") for name in cases}


def _join(rank: int, processes: int, folder: Path) -> None:
    torch.set_num_threads(1)
    store = f"file://{folder}/store"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=processes)


def _share(rank: int, folder: Path, cases: dict[str, Case], processes: int, identities: int) -> None:
    _join(rank, processes, folder)
    for name, case in cases.items():
        torch.manual_seed(0)
        method = frozen(build_method(*deepcopy(case)))
        batch = share_of(whole_batch(identities, *(method.takes_only or (32, 16))), rank, processes)
        gradients = gradients_of(loss_of(method, batch, gather_over(processes)), method)
        for gradient in gradients.values():
            distributed.all_reduce(gradient)
            gradient /= processes
        if rank == 0:
            torch.save(gradients, folder / f"{name}.pt")
    distributed.destroy_process_group()


def _train(rank: int, folder: Path, cases: dict[str, Case], epochs: int) -> None:
    _join(rank, 2, folder)
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
