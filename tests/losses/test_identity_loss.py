"""Cross-entropy over identities. CPU, instant."""

import math

import pytest
import torch

from vireid.losses.identity import identity_loss

LOGITS = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0]], requires_grad=True)


@pytest.mark.parametrize("count", [2, 206, 395])
def test_equal_logits_cost_the_logarithm_of_the_number_of_identities(count):
    loss = identity_loss(torch.full((4, count), 7.0), torch.arange(4) % count)
    assert loss.item() == pytest.approx(math.log(count), rel=1e-6)


def test_loss_is_the_mean_negative_log_probability():
    total = [sum(math.exp(value) for value in row) for row in LOGITS.tolist()]
    expected = -(math.log(math.exp(2.0) / total[0]) + math.log(math.exp(0.0) / total[1])) / 2
    assert identity_loss(LOGITS, torch.tensor([1, 0])).item() == pytest.approx(expected, rel=1e-6)


def test_smoothing_spreads_its_share_over_all_identities():
    plain = [identity_loss(LOGITS, torch.full((2,), label)).item() for label in range(3)]
    expected = 0.7 * plain[1] + 0.3 * sum(plain) / 3
    assert identity_loss(LOGITS, torch.tensor([1, 1]), 0.3).item() == pytest.approx(expected, rel=1e-6)


def test_no_rows_cost_zero_and_keep_the_graph():
    weight = torch.ones(3, 5, requires_grad=True)
    loss = identity_loss(torch.zeros(0, 3) @ weight, torch.zeros(0, dtype=torch.int64))
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(weight.grad, torch.zeros(3, 5))
