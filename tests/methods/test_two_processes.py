"""Real processes train every method together: one gradient, the same weights. CPU, a minute."""

import pytest
import torch

from tests.methods.cases import CASES, NUM_PIDS, first_of_each_network
from tests.methods.processes import shared_gradients, train_in_two_processes
from tests.methods.shares import agree, frozen, gradients_of, loss_of, whole_batch
from vireid.losses.gather import alone
from vireid.methods import build_method

pytestmark = pytest.mark.slow
# Of each method one; all cases share a batch in lockstep in test_shares.py.
SHARING = {case[0]: case for case in reversed(first_of_each_network().values())}


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    return train_in_two_processes(tmp_path_factory.mktemp("processes"), CASES, epochs=2)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_same_weights_after_every_epoch(courses, name):
    first, second = courses[name]
    for ours, theirs in zip(first, second, strict=True):
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
        assert all(torch.isfinite(value).all() for value in ours.values())
    assert any(not torch.equal(first[0][key], first[1][key]) for key in first[0])


@pytest.mark.parametrize(("processes", "identities"), [(2, NUM_PIDS), (3, 3)])
def test_processes_that_share_a_batch_have_the_gradient_of_one(tmp_path, processes, identities):
    shared = shared_gradients(tmp_path, SHARING, processes, identities)
    for name, case in SHARING.items():
        torch.manual_seed(0)
        method = frozen(build_method(*case))
        batch = whole_batch(identities, *(method.takes_only or (32, 16)))
        agree(shared[name], gradients_of(loss_of(method, batch, alone), method))
