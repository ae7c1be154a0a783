"""Processes that share a batch have the gradient of one process on the whole of it. CPU, seconds.

Here they are threads in lockstep; test_two_processes.py has real ones.
"""

import pytest
import torch

from tests.lockstep import in_lockstep
from tests.methods.cases import CASES, NUM_PIDS
from tests.methods.shares import agree, frozen, gradients_of, loss_of, mean, share_of, whole_batch
from vireid.losses.gather import alone
from vireid.methods import build_method


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_two_and_three_processes_have_the_gradient_of_one(case):
    torch.manual_seed(0)
    method = frozen(build_method(*case))
    for processes, identities in ((2, NUM_PIDS), (3, 3)):
        batch = whole_batch(identities, *(method.takes_only or (32, 16)))

        def loss(rank, everyone, batch=batch, processes=processes):
            return loss_of(method, share_of(batch, rank, processes), everyone)

        shared = mean(in_lockstep(processes, loss))
        whole = loss_of(method, batch, alone)
        assert shared.item() == pytest.approx(whole.item(), rel=1e-9)
        agree(gradients_of(shared, method), gradients_of(whole, method))


@pytest.mark.parametrize("fault", ["off by the number of processes", "labels without embeddings"])
def test_known_faults_of_gathering_are_seen(fault):
    torch.manual_seed(0)
    method = frozen(build_method(*CASES["baseline-demo"]))
    batch = whole_batch(NUM_PIDS, 32, 16)

    def loss(rank, everyone):
        def faulty(rows):
            gathered = everyone(rows)
            return gathered.detach() if rows.requires_grad else gathered

        return loss_of(method, share_of(batch, rank, 2), faulty)

    whole = gradients_of(loss_of(method, batch, alone), method)
    if fault == "labels without embeddings":
        wrong = gradients_of(mean(in_lockstep(2, loss)), method)
    else:
        wrong = {name: value / 2 for name, value in whole.items()}
    with pytest.raises(AssertionError):
        agree(wrong, whole)
