"""Who looks whether the losses are finite: when, and what is said. CPU, milliseconds."""

import pytest
import torch

from tests.lockstep import in_lockstep
from vireid.losses.gather import alone
from vireid.support.errors import UserError
from vireid.training.divergence import LossWatch

FINE = {"total": torch.tensor(1.5), "triplet": torch.tensor(0.5)}
LOST = {"total": torch.tensor(torch.nan), "triplet": torch.tensor(torch.inf)}


def names(epoch, step):
    return [f"image of {epoch} and {step}"]


def test_looks_once_in_a_number_of_steps_and_names_the_first_that_is_lost():
    watch = LossWatch(3, names, alone)
    assert [watch.add(0, step, FINE) for step in range(4)] == [False, False, True, False]
    assert not watch.add(0, 4, LOST)
    with pytest.raises(UserError, match="not finite") as error:
        watch.add(0, 5, LOST)
    assert error.value.where == "epoch 1, step 5"
    assert error.value.found == "total nan, triplet inf; in a batch of image of 0 and 4"


def test_a_look_sees_what_is_left_and_nothing_twice():
    watch = LossWatch(3, names, alone)
    watch.look()
    watch.add(1, 0, FINE)
    watch.add(1, 1, LOST)
    with pytest.raises(UserError, match="epoch 2, step 2"):
        watch.look()
    watch.look()


def test_processes_look_together_and_all_stop_where_one_has_lost():
    def process(rank, everyone):
        watch = LossWatch(2, names, everyone)
        watch.add(0, 0, FINE)
        with pytest.raises(UserError, match="epoch 1, step 2") as error:
            watch.add(0, 1, LOST if rank == 1 else FINE)
        return error.value.found

    found = in_lockstep(2, process)
    assert found == ["total nan, triplet inf; in a batch of image of 0 and 1"] * 2
