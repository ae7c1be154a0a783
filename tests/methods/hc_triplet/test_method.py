"""Hetero-centre triplet: what its terms are sums of, and what is ranked. CPU, seconds."""

import torch

from tests.made import recipe_of
from tests.methods.batches import embed_all, losses_of, paired_batch
from tests.methods.hc_triplet.tiny import tiny
from vireid.losses.gather import alone
from vireid.losses.hetero_centre import hetero_centre_triplet_loss
from vireid.losses.identity import identity_loss
from vireid.methods import build_method

BATCH = paired_batch([0, 1, 2, 0], 64, 32)


def test_terms_are_sums_over_the_strips_and_all_of_them_in_a_row():
    torch.manual_seed(0)
    recipe = recipe_of("hc_triplet", "paper")
    method = build_method("hc_triplet", 3, tiny(recipe["model"]), recipe["loss"])
    outputs, losses = method.outputs(BATCH), losses_of(method, BATCH)
    first, second = outputs.strips
    centres = [
        hetero_centre_triplet_loss(strips, BATCH.labels, 4, 0.3, alone)
        for strips in (first, second, torch.cat([first, second], dim=1))
    ]
    torch.testing.assert_close(losses["centres"], sum(centres))
    identities = [identity_loss(logits, BATCH.labels) for logits in outputs.logits]
    torch.testing.assert_close(losses["identity"], sum(identities))
    assert method.loss_weights == {"identity": 1.0, "centres": 1.0}
    assert embed_all(method.eval(), BATCH)["strips"].shape == (8, 32)


def test_paper_has_six_strips_of_256_and_shares_from_the_second_stage():
    model = recipe_of("hc_triplet", "paper")["model"]
    assert (model["strips"], model["strip_width"], model["trunk"]["share_from"]) == (6, 256, 2)
