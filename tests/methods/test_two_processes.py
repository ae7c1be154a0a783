"""Two processes train every method together and end with the same weights. CPU, a minute."""

import pytest
import torch

from tests.methods.cases import CASES
from tests.methods.processes import train_in_two_processes

pytestmark = pytest.mark.slow


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
