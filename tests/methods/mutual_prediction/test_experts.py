"""The experts: losses against slow loops, whom gradients move, what advances by steps. CPU, seconds."""

import math

import pytest
import torch

from tests.methods.batches import of_one_spectrum, paired_batch
from vireid.data.records import Modality
from vireid.methods.mutual_prediction.experts import Experts, divergence

KINDS = ("frozen", "ema", "alternating", "symmetric")
PIDS, WIDTH, RATE = 3, 5, 0.25
BATCH = paired_batch([0, 2, 1], 1, 1)


def built(prediction, seed=0):
    torch.manual_seed(seed)
    experts = Experts(WIDTH, PIDS, prediction, RATE).double()
    with torch.no_grad():
        experts.weight.normal_()
    return experts


def embeddings(seed=1):
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(len(BATCH.labels), WIDTH, dtype=torch.float64, generator=generator)
    return rows.requires_grad_()


def shares(logits):
    powers = [math.exp(value) for value in logits]
    return [power / sum(powers) for power in powers]


def judged(expert, row):
    """Shares that an expert, a list of rows, gives the identities."""
    return shares([sum(a * b for a, b in zip(weights, row, strict=True)) for weights in expert])


def slow_losses(rows, weight, judges):
    """Cross-entropy of each spectrum's rows by its own and by the other's expert; sums of two means."""
    specific, mutual = [[], []], [[], []]
    for place, (row, label) in enumerate(zip(rows, BATCH.labels.tolist(), strict=True)):
        spectrum = int(place >= BATCH.visible)
        specific[spectrum].append(-math.log(judged(weight[spectrum], row)[label]))
        mutual[spectrum].append(-math.log(judged(judges[1 - spectrum], row)[label]))
    return tuple(sum(sum(part) / len(part) for part in parts) for parts in (specific, mutual))


@pytest.mark.parametrize("kind", ["frozen", "symmetric"])
def test_losses_agree_with_slow_loops(kind):
    experts, rows = built(kind), embeddings()
    losses = experts(rows, BATCH)
    weight = experts.weight.tolist()
    assert [loss.item() for loss in losses] == pytest.approx(slow_losses(rows.tolist(), weight, weight))


def test_running_means_take_up_the_experts_and_judge_by_the_divergence():
    experts, rows = built("ema"), embeddings()
    with torch.no_grad():
        experts.mean_weight.normal_()
    mean = (1 - RATE) * experts.mean_weight + RATE * experts.weight.detach()
    specific, mutual = experts(rows, BATCH)
    torch.testing.assert_close(experts.mean_weight, mean)
    weight = experts.weight.tolist()
    expected = [[], []]
    for place, row in enumerate(rows.tolist()):
        spectrum = int(place >= BATCH.visible)
        pairs = zip(judged(weight[spectrum], row), judged(mean[1 - spectrum].tolist(), row), strict=True)
        expected[spectrum].append(sum(share * math.log(share / other) for share, other in pairs))
    assert mutual.item() == pytest.approx(sum(sum(part) / len(part) for part in expected))
    assert specific.item() == pytest.approx(slow_losses(rows.tolist(), weight, weight)[0])


def test_running_means_start_as_the_experts():
    torch.manual_seed(0)
    experts = Experts(WIDTH, PIDS, "ema", RATE)
    assert torch.equal(experts.mean_weight, experts.weight)


@pytest.mark.parametrize("kind", KINDS)
def test_each_expert_learns_from_its_own_spectrum_only(kind):
    for spectrum in Modality:
        experts = built(kind)
        specific, _ = experts(embeddings(), of_one_spectrum(BATCH, spectrum))
        specific.backward()
        moved = [bool(gradient.any()) for gradient in experts.weight.grad]
        assert moved == [modality is spectrum for modality in Modality]


@pytest.mark.parametrize("kind", KINDS)
def test_prediction_moves_the_embeddings_of_both_spectra_and_the_experts_only_where_it_is_symmetric(kind):
    experts, rows = built(kind), embeddings()
    experts(rows, BATCH)  # the experts' turn, where they take turns
    _, mutual = experts(rows, BATCH)
    gradient, of_experts = torch.autograd.grad(mutual, (rows, experts.weight), allow_unused=True)
    assert all(gradient[BATCH.rows(modality)].any() for modality in Modality)
    assert (of_experts is not None and bool(of_experts.any())) == (kind == "symmetric")


def test_symmetric_prediction_moves_each_expert_by_the_other_spectrum():
    for spectrum in Modality:
        experts = built("symmetric")
        _, mutual = experts(embeddings(), of_one_spectrum(BATCH, spectrum))
        mutual.backward()
        assert [bool(gradient.any()) for gradient in experts.weight.grad] == [
            modality is not spectrum for modality in Modality
        ]


def test_alternating_experts_learn_and_teach_by_turns():
    experts, rows = built("alternating"), embeddings()
    expected = slow_losses(rows.tolist(), *2 * [experts.weight.tolist()])
    for step in range(5):
        specific, mutual = experts(rows, BATCH)
        learning = step % 2 == 0
        assert specific.item() == pytest.approx(expected[0])
        assert mutual.item() == pytest.approx(0 if learning else expected[1])
        gradient, of_experts = torch.autograd.grad(specific, (rows, experts.weight))
        assert gradient.any()
        assert bool(of_experts.any()) == learning


@pytest.mark.parametrize("kind", ["ema", "alternating"])
def test_evaluation_advances_nothing_and_the_state_travels_with_the_weights(kind):
    experts, rows = built(kind), embeddings()
    experts(rows, BATCH)
    saved = {name: value.clone() for name, value in experts.state_dict().items()}
    experts.eval()(rows, BATCH)
    assert all(torch.equal(value, saved[name]) for name, value in experts.state_dict().items())
    other = built(kind, seed=2)
    other.load_state_dict(saved)
    ours, theirs = ([loss.item() for loss in part.train()(rows, BATCH)] for part in (experts, other))
    assert ours == theirs


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_two_steps_can_be_added_up(kind):
    """What a step keeps for its gradient is not what the next one changes in place."""
    experts, rows = built(kind), embeddings()
    sum(sum(experts(rows, BATCH)) for _ in range(2)).backward()
    assert torch.isfinite(rows.grad).all()


@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_finite_differences(kind):
    experts = built(kind).eval()
    assert torch.autograd.gradcheck(lambda rows: experts(rows, BATCH)[0], (embeddings(),))
    if kind != "ema":  # whose target is held, which finite differences cannot know
        assert torch.autograd.gradcheck(lambda rows: experts(rows, BATCH)[1], (embeddings(),))


def test_divergence_is_zero_for_equal_logits_and_for_no_rows():
    logits = torch.randn(4, 3, requires_grad=True)
    assert divergence(logits, logits.detach()).item() == pytest.approx(0, abs=1e-7)
    nothing = divergence(logits[:0], logits[:0].detach())
    assert nothing.item() == 0
    nothing.backward()
