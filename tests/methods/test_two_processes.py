"""Two processes train every method together and end with the same weights. CPU, a minute."""

import pytest
import torch

from tests.methods.cases import CASES
from tests.methods.processes import COMPARING, compared_rows, train_in_two_processes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def courses(folder):
    return train_in_two_processes(folder, CASES, epochs=2)


@pytest.mark.parametrize("name", COMPARING)
def test_embeddings_get_the_gradient_of_the_losses_of_both_processes(folder, courses, name):
    parts = [compared_rows(rank) for rank in range(2)]
    embeddings, labels = (torch.cat(column) for column in zip(*parts, strict=True))
    embeddings.requires_grad_()
    infrared = torch.tensor(2 * (4 * [False] + 4 * [True]))
    both = {rows.dtype: rows for rows in (embeddings, labels, infrared)}
    total = sum(
        COMPARING[name](embeddings[rows], labels[rows], everyone=lambda part: both[part.dtype])
        for rows in (slice(0, 8), slice(8, 16))
    )
    total.backward()
    gathered = torch.cat([torch.load(folder / f"{name}-{rank}.pt") for rank in range(2)])
    torch.testing.assert_close(gathered, embeddings.grad)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_have_the_same_weights_after_every_epoch(courses, name):
    first, second = courses[name]
    for ours, theirs in zip(first, second, strict=True):
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []
        assert all(torch.isfinite(value).all() for value in ours.values())
    assert any(not torch.equal(first[0][key], first[1][key]) for key in first[0])
