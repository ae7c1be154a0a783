"""cmGAN: who learns what from the discriminator's loss. CPU, seconds."""

import pytest
import torch

from tests.made import recipe_of
from tests.methods.batches import losses_of, paired_batch, step_on
from tests.methods.cmgan.tiny import tiny
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.classified import ClassifiedOutputs
from vireid.methods.cmgan.method import Reversed

BATCH = paired_batch([0, 1, 2], 64, 32)


def built(**loss):
    torch.manual_seed(0)
    recipe = recipe_of("cmgan", "paper")
    return build_method("cmgan", 3, tiny(recipe["model"]), recipe["loss"] | loss)


def gradients(method, part):
    losses_of(method, BATCH)["spectrum"].backward()
    return [p.grad.clone() for p in part(method).parameters()]


def test_reversed_gradient_is_turned_round_and_scaled():
    values = torch.tensor([1.0, -2.0], requires_grad=True)
    (Reversed.apply(values, 0.25) * torch.tensor([3.0, 4.0])).sum().backward()
    assert values.grad.tolist() == [-0.75, -1.0]
    assert torch.equal(Reversed.apply(values, 0.25), values)


def test_network_climbs_what_the_discriminator_goes_down():
    single, double = (gradients(built(adversarial=scale), lambda m: m.backbone) for scale in (0.5, 1.0))
    for half, whole in zip(single, double, strict=True):
        torch.testing.assert_close(2 * half, whole)
    one, other = (gradients(built(adversarial=scale), lambda m: m.discriminator) for scale in (0.0, 1.0))
    assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    method = built(adversarial=1.0)
    loss = losses_of(method, BATCH)["spectrum"]
    loss.backward()
    with torch.no_grad():
        for parameter in method.layer.parameters():
            parameter -= 1e-3 * parameter.grad / parameter.grad.norm().clamp(min=1e-9)
    assert losses_of(method, BATCH)["spectrum"] > loss


def test_triplets_are_across_the_spectra():
    method = built()
    # On a line: visible at 0 and 1, infrared at 3 and 5; the nearest of the own spectrum would be much nearer.
    embedding = torch.zeros(4, 32)
    embedding[:, 0] = torch.tensor([0.0, 1.0, 3.0, 5.0])
    outputs = ClassifiedOutputs(embedding, torch.zeros(4, 3))
    loss = method.losses(outputs, paired_batch([0, 1], 64, 32), alone)["triplet"]
    margin = method.loss.margin
    assert 0 < margin < 1
    # Positive less negative: 3 - 5, 4 - 2, 3 - 2, 4 - 5.
    assert loss.item() == pytest.approx((2 * margin + 3) / 4, abs=1e-4)


def test_discriminator_that_guesses_has_the_logarithm_of_two():
    method = built()
    torch.nn.init.zeros_(method.discriminator[-1].weight)
    torch.nn.init.zeros_(method.discriminator[-1].bias)
    assert losses_of(method, BATCH)["spectrum"].item() == pytest.approx(0.6931, abs=1e-4)
    torch.nn.init.ones_(method.discriminator[-1].bias)  # everything is infrared
    assert step_on(method, BATCH).measures["spectrum_told"].item() == 0.5
