"""newcomer: what is its own; what every method promises is tested in tests/methods. CPU, seconds."""

import math

import pytest
import torch

from tests.made import recipe_of
from tests.methods.batches import losses_of, paired_batch
from vireid.methods import build_method


def test_identity_loss_starts_at_the_logarithm_of_the_number_of_identities() -> None:
    """Of nearly equal logits."""
    torch.manual_seed(0)
    recipe = recipe_of("newcomer")
    method = build_method("newcomer", 395, recipe["model"], recipe["loss"])
    losses = losses_of(method, paired_batch([0, 1], 64, 32))
    assert losses["identity"].item() == pytest.approx(math.log(395), abs=0.2)
