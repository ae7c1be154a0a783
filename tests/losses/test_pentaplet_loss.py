"""Hard pentaplet loss against slow loops, by hand, by properties and in degenerate batches. CPU, seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.lockstep import in_lockstep
from tests.reference.pentaplet import cross_modality, pentaplet
from vireid.losses.gather import alone
from vireid.losses.pentaplet import hard_cross_modality_triplet_loss, pentaplet_loss
from vireid.losses.triplet import batch_hard_triplet_loss

MARGIN = 0.3
# On a line, by hand: (place, identity); three visible images, then three infrared ones.
LINE = torch.tensor([[0.0], [2.0], [3.0], [1.0], [5.0], [4.5]])
LINE_LABELS = torch.tensor([0, 0, 1, 0, 1, 1])


def batch(seed=0, identities=4, rows=12, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = scale * torch.randn(rows, 5, generator=generator, dtype=torch.float64)
    labels = torch.randint(identities, (rows,), generator=generator)
    return embeddings.requires_grad_(), labels


def paired(seed=0, identities=4, pairs=6):
    """As the sampler draws: the j-th visible and the j-th infrared row are of one identity."""
    embeddings, labels = batch(seed, identities, 2 * pairs)
    return embeddings, labels[:pairs].repeat(2)


@given(
    st.integers(0, 999),
    st.integers(1, 6),
    st.integers(1, 14),
    st.integers(0, 14),
    st.sampled_from([0.1, 1, 10]),
    st.floats(0, 2),
)
@settings(max_examples=80, deadline=None)
def test_losses_agree_with_the_slow_loops(seed, identities, rows, visible, scale, margin):
    embeddings, labels = batch(seed, identities, rows, scale)
    visible = min(visible, rows)
    plain = embeddings.tolist(), labels.tolist()
    loss = pentaplet_loss(embeddings, labels, visible, margin, alone)
    across = hard_cross_modality_triplet_loss(embeddings, labels, visible, margin, alone)
    assert loss.item() == pytest.approx(pentaplet(*plain, visible, margin), rel=1e-6, abs=1e-5)
    spectra = [row < visible for row in range(rows)]
    assert across.item() == pytest.approx(cross_modality(*plain, spectra, margin), rel=1e-6, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


def test_hand_worked_batch():
    # Hardest positive and negative of the other spectrum, by anchor:
    # 0: 1 - 4.5; 2: 1 - 2.5; 3: 2 - 2 (visible), and 1: 1 - 2; 5: 2 - 3; 4.5: 1.5 - 2.5 (infrared).
    across = hard_cross_modality_triplet_loss(LINE, LINE_LABELS, 3, 1.5, alone)
    assert across.item() == pytest.approx((0 + 0 + 1.5 + 0.5 + 0.5 + 0.5) / 6, abs=1e-4)
    # Of all images: 0: 2 - 3; 2: 2 - 1; 3: 2 - 1, and 1: 1 - 2; 5: 2 - 3; 4.5: 1.5 - 2.5.
    hgt = (0.5 + 2.5 + 2.5 + 0.5 + 0.5 + 0.5) / 6
    assert pentaplet_loss(LINE, LINE_LABELS, 3, 1.5, alone).item() == pytest.approx(hgt + 3 / 6, abs=1e-4)


def test_anchor_without_a_positive_or_a_negative_across_is_left_out():
    # Visible: identity 0 at 0, identity 2 at 7; infrared: identity 0 at 1, identity 1 at 3. Those at 7 and 3 have
    # no positive across; the hinges of the others are margin + 1 - 3 and margin + 1 - 6.
    embeddings, labels = torch.tensor([[0.0], [7.0], [1.0], [3.0]]), torch.tensor([0, 2, 0, 1])
    assert hard_cross_modality_triplet_loss(embeddings, labels, 2, 1.5, alone).item() == 0
    assert hard_cross_modality_triplet_loss(embeddings, labels, 2, 3.0, alone).item() == pytest.approx(0.5)
    # Without the one at 3, that at 0 has no negative across, and the hinge of that at 1 is the only one.
    assert hard_cross_modality_triplet_loss(embeddings[:3], labels[:3], 2, 3.0, alone).item() == 0
    assert hard_cross_modality_triplet_loss(embeddings[:3], labels[:3], 2, 6.0, alone).item() == pytest.approx(1)


@pytest.mark.parametrize("value", [0.0, 1.0, -300.0])
def test_equal_embeddings_cost_twice_the_margin(value):
    embeddings = torch.full((8, 4), value, requires_grad=True)
    loss = pentaplet_loss(embeddings, torch.tensor([0, 0, 1, 2, 2, 1, 0, 0]), 4, MARGIN, alone)
    assert loss.item() == pytest.approx(2 * MARGIN, abs=1e-5)
    loss.backward()
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("visible", [0, 12])
def test_batch_of_one_spectrum_has_the_global_loss_alone(visible):
    embeddings, labels = batch()
    across = hard_cross_modality_triplet_loss(embeddings, labels, visible, MARGIN, alone)
    assert across.item() == 0
    assert not torch.autograd.grad(across, embeddings)[0].any()
    both = pentaplet_loss(embeddings, labels, visible, MARGIN, alone)
    assert both.item() == batch_hard_triplet_loss(embeddings, labels, MARGIN, alone).item() > 0


def test_one_identity_costs_zero_and_keeps_the_graph():
    embeddings, _ = batch()
    loss = pentaplet_loss(embeddings, torch.zeros(12, dtype=torch.int64), 6, MARGIN, alone)
    assert loss.item() == 0
    loss.backward()
    assert torch.equal(embeddings.grad, torch.zeros_like(embeddings))


def test_single_image_of_an_identity_is_a_negative_and_no_anchor_across():
    embeddings, labels = torch.tensor([[0.0], [2.0], [1.0], [4.0], [2.5]]), torch.tensor([0, 1, 0, 1, 2])
    spectra = [True, True, False, False, False]
    expected = cross_modality(embeddings.tolist(), labels.tolist(), spectra, 1.0)
    # 0: 1 - 2.5; 2: 2 - 0.5, as the single image is its hardest negative; 1: 1 - 1; 4: 2 - 4.
    assert expected == pytest.approx((0 + 2.5 + 1 + 0) / 4)
    loss = hard_cross_modality_triplet_loss(embeddings, labels, 2, 1.0, alone)
    assert loss.item() == pytest.approx(expected, abs=1e-5)


def test_far_identities_cost_zero():
    embeddings = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.1, 0.0], [9.1, 0.0]])
    assert pentaplet_loss(embeddings, torch.tensor([0, 1, 0, 1]), 2, MARGIN, alone).item() == 0


@pytest.mark.parametrize("seed", range(5))
def test_triplets_across_spectra_never_cost_more_than_those_of_all_images(seed):
    embeddings, labels = paired(seed)
    across = hard_cross_modality_triplet_loss(embeddings, labels, 6, MARGIN, alone).item()
    assert 0 < across < batch_hard_triplet_loss(embeddings, labels, MARGIN, alone).item()


def test_loss_does_not_depend_on_the_order_of_pairs():
    embeddings, labels = paired()
    order = torch.randperm(6, generator=torch.Generator().manual_seed(1))
    rows = torch.cat([order, 6 + order])
    first = pentaplet_loss(embeddings, labels, 6, MARGIN, alone)
    second = pentaplet_loss(embeddings[rows], labels[rows], 6, MARGIN, alone)
    assert second.item() == pytest.approx(first.item(), rel=1e-9)


def test_spectra_may_change_places():
    embeddings, labels = batch()
    first = pentaplet_loss(embeddings, labels, 5, MARGIN, alone)
    second = pentaplet_loss(embeddings.roll(7, 0), labels.roll(7), 7, MARGIN, alone)
    assert second.item() == pytest.approx(first.item(), rel=1e-9)


def test_gradient_is_that_of_finite_differences():
    embeddings, labels = batch(rows=9, identities=3)
    for loss in (hard_cross_modality_triplet_loss, pentaplet_loss):
        assert torch.autograd.gradcheck(lambda x, loss=loss: loss(x, labels, 4, MARGIN, alone), (embeddings,))


@given(st.integers(0, 999), st.integers(1, 4), st.integers(1, 4), st.floats(0, 2))
@settings(max_examples=40, deadline=None)
def test_anchors_of_one_process_see_the_rows_of_all(seed, identities, pairs, margin):
    """The mean over processes with as many pairs each is the loss of all rows, and so is its gradient."""
    parts = [paired(seed + 1000 * rank, identities, pairs) for rank in range(2)]
    embeddings = torch.cat([part[0] for part in parts]).detach().requires_grad_()
    labels = torch.cat([part[1] for part in parts])
    infrared = torch.tensor(2 * (pairs * [False] + pairs * [True]))

    rows = (slice(2 * pairs), slice(2 * pairs, None))

    def loss(rank, everyone):
        return pentaplet_loss(embeddings[rows[rank]], labels[rows[rank]], pairs, margin, everyone)

    losses = in_lockstep(2, loss)
    order = infrared.int().argsort(stable=True)
    whole = pentaplet_loss(embeddings[order], labels[order], 2 * pairs, margin, alone)
    expected = pentaplet(embeddings[order].tolist(), labels[order].tolist(), 2 * pairs, margin)
    assert whole.item() == pytest.approx(expected, rel=1e-6, abs=1e-5)
    assert sum(losses).item() / 2 == pytest.approx(expected, rel=1e-6, abs=1e-5)
    gradient = torch.autograd.grad(sum(losses) / 2, embeddings, retain_graph=True)[0]
    assert torch.allclose(gradient, torch.autograd.grad(whole, embeddings)[0], atol=1e-6)


def test_no_shape_follows_values_and_nothing_waits_for_the_device():
    with FakeTensorMode():
        embeddings = torch.empty(8, 5, device="cuda")
        labels = torch.empty(8, dtype=torch.int64, device="cuda")
        loss = pentaplet_loss(embeddings, labels, 4, MARGIN, alone)
    assert (loss.device.type, loss.shape) == ("cuda", ())
    embeddings = torch.empty(8, 5, device="meta", requires_grad=True)
    pentaplet_loss(embeddings, torch.empty(8, dtype=torch.int64, device="meta"), 4, MARGIN, alone).backward()
    assert embeddings.grad.shape == embeddings.shape
