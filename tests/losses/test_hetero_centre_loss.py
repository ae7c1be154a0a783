"""Hetero-centre triplet loss against slow loops, by hand, in degenerate batches. CPU, seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.lockstep import in_lockstep
from tests.reference.hetero_centre import hetero_centre_triplet
from vireid.losses.gather import alone
from vireid.losses.hetero_centre import hetero_centre_triplet_loss

MARGIN = 0.3


def batch(seed=0, identities=4, rows=12, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = scale * torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    return embeddings.requires_grad_(), torch.randint(identities, (rows,), generator=generator)


@given(
    st.integers(0, 999),
    st.integers(1, 6),
    st.integers(1, 14),
    st.integers(0, 14),
    st.sampled_from([0.1, 1, 10]),
    st.floats(0, 2),
)
@settings(max_examples=80, deadline=None)
def test_loss_agrees_with_the_slow_loops(seed, identities, rows, visible, scale, margin):
    embeddings, labels = batch(seed, identities, rows, scale)
    visible = min(visible, rows)
    expected = hetero_centre_triplet(
        embeddings.tolist(), labels.tolist(), [row < visible for row in range(rows)], margin
    )
    loss = hetero_centre_triplet_loss(embeddings, labels, visible, margin, alone)
    assert loss.item() == pytest.approx(expected, rel=1e-6, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_hand_worked_batch_counts_each_centre_once():
    # Visible centres: identity 0 at (0 + 2 + 4) / 3 = 2, identity 1 at 8; infrared: 0 at 3, 1 at 6.
    embeddings = torch.tensor([[0.0], [2.0], [4.0], [8.0], [3.0], [5.0], [7.0]])
    labels = torch.tensor([0, 0, 0, 1, 0, 1, 1])
    # Hinges with margin 1.5: 2: 1 - 4; 8: 2 - 5; 3: 1 - 3; 6: 2 - 3 -> 0.5. With margin 4: 1, 1, 2, 3.
    assert hetero_centre_triplet_loss(embeddings, labels, 4, 1.5, alone).item() == pytest.approx(0.5 / 4, abs=1e-5)
    assert hetero_centre_triplet_loss(embeddings, labels, 4, 4.0, alone).item() == pytest.approx(7 / 4, abs=1e-5)


def test_identity_of_one_spectrum_is_a_negative_and_no_anchor():
    # Identity 2 is infrared only, at 4: nearest to the centres of 0, at 0 and 1. Identity 1: 9 and 7.
    embeddings, labels = torch.tensor([[0.0], [9.0], [1.0], [7.0], [4.0]]), torch.tensor([0, 1, 0, 1, 2])
    expected = (max(0, 3.5 + 1 - 4) + (3.5 + 1 - 3) + max(0, 3.5 + 2 - 5) + (3.5 + 2 - 3)) / 4
    loss = hetero_centre_triplet_loss(embeddings, labels, 2, 3.5, alone)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, -300.0])
def test_equal_embeddings_cost_the_margin(value):
    embeddings = torch.full((8, 4), value, requires_grad=True)
    loss = hetero_centre_triplet_loss(embeddings, torch.tensor([0, 0, 1, 2, 2, 1, 0, 0]), 4, MARGIN, alone)
    assert loss.item() == pytest.approx(MARGIN, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize(("visible", "identities"), [(0, 4), (12, 4), (6, 1)])
def test_batch_without_a_triplet_costs_zero_and_keeps_the_graph(visible, identities):
    embeddings, labels = batch(identities=identities)
    loss = hetero_centre_triplet_loss(embeddings, labels, visible, MARGIN, alone)
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_gradient_is_that_of_finite_differences():
    embeddings, labels = batch(rows=9, identities=3)
    assert torch.autograd.gradcheck(lambda x: hetero_centre_triplet_loss(x, labels, 4, 1.0, alone), (embeddings,))


@given(st.integers(0, 999), st.integers(2, 4), st.integers(1, 3), st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_centres_are_of_all_processes_rows(seed, identities, instances, margin):
    """Identities that both processes drew have one centre for all their rows."""
    labels = torch.arange(identities).repeat_interleave(instances).repeat(2)  # visible, infrared: of one process
    rows = len(labels)
    embeddings, _ = batch(seed, rows=2 * rows)
    infrared = (torch.arange(rows) >= rows // 2).repeat(2)

    parts = (slice(rows), slice(rows, None))

    def loss(rank, everyone):
        return hetero_centre_triplet_loss(embeddings[parts[rank]], labels, rows // 2, margin, everyone)

    losses = in_lockstep(2, loss)
    order = infrared.int().argsort(stable=True)
    whole = hetero_centre_triplet_loss(embeddings[order], labels.repeat(2)[order], rows, margin, alone)
    assert sum(losses).item() / 2 == pytest.approx(whole.item(), rel=1e-6, abs=1e-9)
    gradient = torch.autograd.grad(sum(losses) / 2, embeddings, retain_graph=True)[0]
    torch.testing.assert_close(gradient, torch.autograd.grad(whole, embeddings)[0])


def test_no_shape_follows_values_and_nothing_waits_for_the_device():
    with FakeTensorMode():
        embeddings = torch.empty(8, 5, device="cuda")
        labels = torch.empty(8, dtype=torch.int64, device="cuda")
        loss = hetero_centre_triplet_loss(embeddings, labels, 4, MARGIN, alone)
    assert (loss.device.type, loss.shape) == ("cuda", ())
