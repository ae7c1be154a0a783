"""Batch-hard triplet loss against a slow loop, by properties and in degenerate batches. CPU, seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.lockstep import in_lockstep
from tests.reference.triplet import batch_hard_triplet, distance
from vireid.losses.gather import alone
from vireid.losses.triplet import batch_hard_triplet_loss, pairwise_euclidean

MARGIN = 0.3


def batch(seed=0, identities=4, rows=12, width=5, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = scale * torch.randn(rows, width, generator=generator, dtype=torch.float64)
    labels = torch.randint(identities, (rows,), generator=generator)
    return embeddings.requires_grad_(), labels


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 14), st.sampled_from([0.1, 1, 10]), st.floats(0, 2))
@settings(max_examples=60, deadline=None)
def test_loss_agrees_with_the_slow_loop(seed, identities, rows, scale, margin):
    embeddings, labels = batch(seed, identities, rows, scale=scale)
    expected = batch_hard_triplet(embeddings.tolist(), labels.tolist(), margin)
    loss = batch_hard_triplet_loss(embeddings, labels, margin, alone)
    assert loss.item() == pytest.approx(expected, rel=1e-6, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_distances_are_euclidean():
    embeddings, _ = batch()
    others, _ = batch(seed=1, rows=7)
    distances = pairwise_euclidean(embeddings, others)
    assert distances.shape == (12, 7)
    for i, first in enumerate(embeddings.tolist()):
        for j, second in enumerate(others.tolist()):
            assert distances[i, j].item() == pytest.approx(distance(first, second), abs=1e-5)


def test_hand_worked_batch():
    # On a line: identity 0 at 0 and 2, identity 1 at 3; hinges are 2 - 3, 2 - 1 and 0 - 1, plus the margin.
    embeddings = torch.tensor([[0.0], [2.0], [3.0]])
    loss = batch_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1]), 1.5, alone)
    assert loss.item() == pytest.approx((0.5 + 2.5 + 0.5) / 3, abs=1e-4)


def test_equal_embeddings_cost_the_margin():
    embeddings = torch.ones(6, 4, requires_grad=True)
    loss = batch_hard_triplet_loss(embeddings, torch.arange(6) % 3, MARGIN, alone)
    assert loss.item() == pytest.approx(MARGIN, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_one_identity_costs_zero_and_keeps_the_graph():
    embeddings, _ = batch()
    loss = batch_hard_triplet_loss(embeddings, torch.zeros(12, dtype=torch.int64), MARGIN, alone)
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_far_identities_cost_zero():
    embeddings = torch.tensor([[0.0, 0.0], [0.1, 0.0], [9.0, 0.0], [9.1, 0.0]])
    assert batch_hard_triplet_loss(embeddings, torch.tensor([0, 0, 1, 1]), MARGIN, alone).item() == 0


def test_loss_does_not_depend_on_the_order_of_rows():
    embeddings, labels = batch()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    first = batch_hard_triplet_loss(embeddings, labels, MARGIN, alone)
    second = batch_hard_triplet_loss(embeddings[order], labels[order], MARGIN, alone)
    assert second.item() == pytest.approx(first.item(), rel=1e-9)


def test_gradient_is_that_of_finite_differences():
    embeddings, labels = batch(rows=8, identities=3)
    assert torch.autograd.gradcheck(lambda x: batch_hard_triplet_loss(x, labels, MARGIN, alone), (embeddings,))


@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 7), st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_anchors_of_one_process_see_the_rows_of_all(seed, identities, half, margin):
    """The mean over processes with as many rows each is the loss of all rows, and so is its gradient."""
    embeddings, labels = batch(seed, identities, 2 * half)
    parts = (slice(half), slice(half, None))

    def loss(rank, everyone):
        return batch_hard_triplet_loss(embeddings[parts[rank]], labels[parts[rank]], margin, everyone)

    losses = in_lockstep(2, loss)
    expected = batch_hard_triplet(embeddings.tolist(), labels.tolist(), margin)
    assert sum(losses).item() / 2 == pytest.approx(expected, rel=1e-6, abs=1e-5)
    gradient = torch.autograd.grad(sum(losses) / 2, embeddings, retain_graph=True)[0]
    whole = torch.autograd.grad(batch_hard_triplet_loss(embeddings, labels, margin, alone), embeddings)[0]
    assert torch.allclose(gradient, whole, atol=1e-6)
