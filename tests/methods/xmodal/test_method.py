"""Xmodal: what is an X image, and which images its triplets compare, against slow loops. CPU, seconds."""

import math
import operator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made import recipe_of
from tests.methods.batches import paired_batch
from tests.methods.xmodal.tiny import tiny
from tests.reference.hard_triplet import hard_triplet
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.base import Batch
from vireid.methods.xmodal.method import INFRARED, VISIBLE, Outputs, X, labels_and_spectra


def built():
    torch.manual_seed(0)
    recipe = recipe_of("xmodal", "paper")
    return build_method("xmodal", 3, tiny(recipe["model"]), recipe["loss"])


METHOD = built()


def test_x_images_stand_last_with_the_labels_of_their_visible_images():
    labels, spectra = labels_and_spectra(Batch(torch.empty(0), torch.tensor([5, 7, 7, 5]), 2))
    assert labels.tolist() == [5, 7, 7, 5, 5, 7]
    assert spectra.tolist() == [VISIBLE, VISIBLE, INFRARED, INFRARED, X, X]


def test_generator_makes_one_channel_and_three_of_it():
    method, batch = built(), paired_batch([0, 1], 64, 32)
    first, second = method.generator[0], method.generator[2]
    image = batch.images[1]
    grey = (torch.einsum("chw,c->hw", image, first.weight[0, :, 0, 0]) + first.bias[0]).relu()
    made = grey * second.weight[:, 0] + second.bias[:, None, None]
    torch.testing.assert_close(method.generator(image[None])[0], made)
    method.eval()
    outputs = method.outputs(batch)
    assert len(outputs.pooled) == 6
    torch.testing.assert_close(
        outputs.pooled[5], method.embed(made[None], VISIBLE)["pooled"][0], rtol=1e-4, atol=1e-5
    )


@given(st.integers(0, 999), st.integers(1, 3), st.integers(0, 5), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_triplets_bridge_to_infrared_and_stay_within_each_spectrum(seed, identities, visible, infrared):
    if visible + infrared == 0:
        return
    generator = torch.Generator().manual_seed(seed)
    rows = 2 * visible + infrared
    pooled = (0.3 * torch.randn(rows, 4, generator=generator, dtype=torch.float64)).requires_grad_()
    given_labels = torch.randint(identities, (visible + infrared,), generator=generator)
    batch = Batch(torch.empty(0), given_labels, visible)
    losses = METHOD.losses(Outputs(pooled, torch.zeros(rows, 3)), batch, alone)
    labels, spectra = labels_and_spectra(batch)

    def triplets(first, second):
        def compared(same):
            return lambda a, b: (
                {spectra[a].item(), spectra[b].item()} == {first, second} and same(labels[a], labels[b])
            )

        return hard_triplet(pooled.tolist(), compared(operator.eq), compared(operator.ne), METHOD.margin)

    cross = triplets(VISIBLE, INFRARED) + triplets(X, INFRARED)
    respective = sum(triplets(spectrum, spectrum) for spectrum in (VISIBLE, INFRARED, X))
    assert [losses["cross"].item(), losses["respective"].item()] == pytest.approx([cross, respective], abs=1e-5)
    (losses["cross"] + losses["respective"]).backward()
    assert torch.isfinite(pooled.grad).all()


def test_images_of_all_three_spectra_are_classified():
    batch = paired_batch([0, 1, 2], 64, 32)
    labels, _ = labels_and_spectra(batch)
    for wrong in range(9):
        logits = 50 * torch.eye(3)[labels]
        logits[wrong] = 0
        loss = METHOD.losses(Outputs(torch.zeros(9, 4), logits), batch, alone)["identity"]
        assert loss.item() == pytest.approx(math.log(3) / 9, rel=1e-4)
