"""Centre loss and its centres against slow loops, by hand, by properties and without rows. CPU, seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.lockstep import in_lockstep
from tests.reference.centre import centre, moved
from vireid.losses.centre import Centres, centre_loss, updated_centres
from vireid.losses.gather import alone

# By hand: identity 0 has two embeddings, identity 1 has none, identity 2 one.
EMBEDDINGS = torch.tensor([[1.0, 0.0], [4.0, 2.0], [0.0, 5.0]])
LABELS = torch.tensor([0, 2, 0])
CENTRES = torch.tensor([[1.0, 1.0], [7.0, 7.0], [4.0, 0.0]])


def batch(seed=0, identities=4, rows=12):
    generator = torch.Generator().manual_seed(seed)
    embeddings, centres = (
        torch.randn(count, 5, generator=generator, dtype=torch.float64) for count in (rows, identities)
    )
    return embeddings.requires_grad_(), torch.randint(identities, (rows,), generator=generator), centres


def test_hand_worked_loss():
    # Squared distances 1, 4 and 1 + 16.
    assert centre_loss(EMBEDDINGS, LABELS, CENTRES).item() == pytest.approx((1 + 4 + 17) / 2 / 3)


def test_hand_worked_update():
    # Identity 0: sums of c - x are (0 + 1, 1 - 4), divided by 1 + 2; identity 2: (0, -2), divided by 1 + 1.
    expected = torch.tensor([[1 - 0.5 / 3, 1 + 1.5 / 3], [7.0, 7.0], [4.0, 0.5]])
    torch.testing.assert_close(updated_centres(CENTRES, EMBEDDINGS, LABELS, 0.5), expected)


@given(st.integers(0, 999), st.integers(1, 6), st.integers(0, 14), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_loss_and_update_agree_with_the_slow_loops(seed, identities, rows, rate):
    embeddings, labels, centres = batch(seed, identities, rows)
    plain = embeddings.tolist(), labels.tolist()
    loss = centre_loss(embeddings, labels, centres)
    assert loss.item() == pytest.approx(centre(*plain, centres.tolist()), rel=1e-9)
    expected = torch.tensor(moved(centres.tolist(), *plain, rate), dtype=torch.float64)
    torch.testing.assert_close(updated_centres(centres, embeddings, labels, rate), expected)


def test_gradient_leads_to_the_centre_and_is_that_of_finite_differences():
    embeddings, labels, centres = batch()
    assert torch.autograd.gradcheck(lambda x: centre_loss(x, labels, centres), (embeddings,))
    gradient = torch.autograd.grad(centre_loss(embeddings, labels, centres), embeddings)[0]
    torch.testing.assert_close(gradient, (embeddings - centres[labels]).detach() / 12)


def test_embeddings_at_their_centres_cost_zero_and_leave_them():
    _, labels, centres = batch()
    assert centre_loss(centres[labels], labels, centres).item() == 0
    torch.testing.assert_close(updated_centres(centres, centres[labels], labels, 0.5), centres)


def test_mean_is_that_of_a_batch_shown_twice():
    embeddings, labels, centres = batch()
    twice = centre_loss(embeddings.repeat(2, 1), labels.repeat(2), centres)
    assert twice.item() == pytest.approx(centre_loss(embeddings, labels, centres).item(), rel=1e-12)


def test_no_rows_cost_zero_keep_the_graph_and_leave_the_centres():
    weight = torch.ones(3, 2, requires_grad=True)
    embeddings, labels = torch.zeros(0, 3) @ weight, torch.zeros(0, dtype=torch.int64)
    loss = centre_loss(embeddings, labels, CENTRES)
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(weight.grad, torch.zeros(3, 2))
    assert torch.equal(updated_centres(CENTRES, embeddings, labels, 0.5), CENTRES)


def test_loss_and_update_do_not_depend_on_the_order_of_rows():
    embeddings, labels, centres = batch()
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    first, second = ((embeddings[rows], labels[rows]) for rows in (slice(None), order))
    assert centre_loss(*second, centres).item() == pytest.approx(centre_loss(*first, centres).item(), rel=1e-12)
    torch.testing.assert_close(updated_centres(centres, *second, 0.5), updated_centres(centres, *first, 0.5))


def test_centres_start_at_zero_and_move_after_their_loss():
    centres = Centres(3, 2, rate=0.5)
    embeddings = EMBEDDINGS.clone().requires_grad_()
    first = centres(embeddings, LABELS, alone)
    assert first.item() == pytest.approx((1 + 20 + 25) / 2 / 3)  # from zero
    expected = torch.tensor([[1 / 6, 5 / 6], [0.0, 0.0], [1.0, 0.5]])
    torch.testing.assert_close(centres.centres, expected)
    second = centres(embeddings, LABELS, alone)
    assert second.item() == pytest.approx(centre(EMBEDDINGS.tolist(), LABELS.tolist(), expected.tolist()))
    # Both gradients are those of the centres that each loss was computed from.
    (first + second).backward()
    torch.testing.assert_close(embeddings.grad, (2 * EMBEDDINGS - expected[LABELS]) / 3)


def test_centres_approach_the_mean_of_their_identity():
    centres = Centres(3, 2, rate=0.5)
    for _ in range(80):
        centres(EMBEDDINGS, LABELS, alone)
    torch.testing.assert_close(centres.centres, torch.tensor([[0.5, 2.5], [0.0, 0.0], [4.0, 2.0]]))


def test_centres_stay_in_evaluation_and_at_a_rate_of_zero():
    for centres in (Centres(3, 2, rate=0.5).eval(), Centres(3, 2, rate=0.0)):
        centres(EMBEDDINGS, LABELS, alone)
        assert not centres.centres.any()


def test_centres_are_saved_and_are_no_parameter():
    centres = Centres(3, 2, rate=0.5)
    centres(EMBEDDINGS.clone().requires_grad_(), LABELS, alone)
    assert list(centres.parameters()) == []
    assert not centres.centres.requires_grad
    again = Centres(3, 2, rate=0.5)
    again.load_state_dict(centres.state_dict())
    assert torch.equal(again.centres, centres.centres)
    assert again.centres.any()


def test_centres_of_each_process_move_by_the_rows_of_all():
    embeddings, labels, _ = batch()
    parts = (slice(6), slice(6, None))
    processes = [Centres(4, 5, rate=0.5).double() for _ in parts]

    def loss(rank, everyone):
        return processes[rank](embeddings[parts[rank]], labels[parts[rank]], everyone)

    losses = in_lockstep(2, loss)
    whole = Centres(4, 5, rate=0.5).double()
    loss = whole(embeddings, labels, alone)
    assert sum(losses).item() / 2 == pytest.approx(loss.item(), rel=1e-12)
    gradient = torch.autograd.grad(sum(losses) / 2, embeddings)[0]
    torch.testing.assert_close(gradient, torch.autograd.grad(loss, embeddings)[0])
    for centres in processes:
        torch.testing.assert_close(centres.centres, whole.centres)


def test_no_shape_follows_values_and_nothing_waits_for_the_device():
    with FakeTensorMode():
        embeddings = torch.empty(8, 2, device="cuda")
        labels = torch.empty(8, dtype=torch.int64, device="cuda")
        centres = Centres(3, 2, rate=0.5).to("cuda")
        loss = centres(embeddings, labels, alone)
    assert (loss.device.type, loss.shape, centres.centres.device.type) == ("cuda", (), "cuda")
    embeddings = torch.empty(8, 2, device="meta", requires_grad=True)
    Centres(3, 2, 0.5).to("meta")(embeddings, torch.empty(8, dtype=torch.int64, device="meta"), alone).backward()
    assert embeddings.grad.shape == embeddings.shape
