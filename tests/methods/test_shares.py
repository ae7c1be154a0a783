"""Processes that share a batch have the gradient of one process on the whole of it. CPU, seconds.

Here they are threads in lockstep; test_two_processes.py has real ones.
"""

import pytest
import torch

from tests.lockstep import in_lockstep
from tests.methods import guards
from tests.methods.cases import CASES, NUM_PIDS
from tests.methods.shares import agree, frozen, gradients_of, loss_of, mean, share_of, whole_batch
from vireid.losses.gather import alone
from vireid.methods import build_method


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_two_and_three_processes_have_the_gradient_of_one(case):
    torch.manual_seed(0)
    guards.has_the_gradient_of_one_process(build_method(*case), NUM_PIDS)


def without_gradient_of_others(everyone, rank):
    """Gather as is often done: others' rows hold no gradient, so an image that all see has a part of it."""

    def gather(rows):
        if not rows.requires_grad:
            return everyone(rows)
        parts = list(everyone(rows).detach().chunk(2))
        parts[rank] = rows
        return torch.cat(parts)

    return gather


def labels_alone(everyone, rank):
    """Gather labels, and compare them with the process's own embeddings."""
    return lambda rows: rows.repeat(2, *[1] * (rows.ndim - 1)) if rows.requires_grad else everyone(rows)


def embeddings_alone(everyone, rank):
    """Gather embeddings, and compare them with the process's own labels."""
    return lambda rows: everyone(rows) if rows.requires_grad else rows.repeat(2, *[1] * (rows.ndim - 1))


@pytest.mark.parametrize("fault", [without_gradient_of_others, labels_alone, embeddings_alone])
def test_known_faults_of_gathering_are_seen(fault):
    torch.manual_seed(0)
    method = frozen(build_method(*CASES["baseline-demo"]))
    batch = whole_batch(NUM_PIDS, 32, 16)

    def loss(rank, everyone):
        return loss_of(method, share_of(batch, rank, 2), fault(everyone, rank))

    wrong = gradients_of(mean(in_lockstep(2, loss)), method)
    with pytest.raises(AssertionError):
        agree(wrong, gradients_of(loss_of(method, batch, alone), method))


def test_gradient_off_by_the_number_of_processes_is_seen():
    torch.manual_seed(0)
    method = frozen(build_method(*CASES["baseline-demo"]))
    batch = whole_batch(NUM_PIDS, 32, 16)
    parts = in_lockstep(2, lambda rank, everyone: loss_of(method, share_of(batch, rank, 2), everyone))
    with pytest.raises(AssertionError):
        agree(gradients_of(sum(parts), method), gradients_of(loss_of(method, batch, alone), method))
