"""Two processes that train methods together by gloo on the CPU, for the tests."""

from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor, distributed, multiprocessing
from torch.nn.parallel import DistributedDataParallel

from tests.methods.batches import paired_batch, weighted_sum
from tests.methods.cases import Case
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


def _train(rank: int, folder: Path, cases: dict[str, Case], epochs: int) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
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
            batch = paired_batch(LABELS[rank], 32, 16, seed=100 * rank + 10 * epoch + step)
            result = together(batch, _everyone)
            optimizer.zero_grad()
            weighted_sum(method, result.losses).backward()
            optimizer.step()
        history.append({f"loss/{name}": 1.0 for name in result.losses})
        course.append({name: parameter.detach().clone() for name, parameter in method.named_parameters()})
    return course


def _everyone(rows: Tensor) -> Tensor:
    """Rows of both processes; those of this one with gradient."""
    gathered = [torch.empty_like(rows) for _ in range(2)]
    distributed.all_gather(gathered, rows.detach())
    gathered[distributed.get_rank()] = rows
    return torch.cat(gathered)
