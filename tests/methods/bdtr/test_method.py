"""BDTR, BCTR and eBDTR: their losses against slow loops and by hand. CPU, seconds."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.made import recipe_of
from tests.methods.batches import losses_of, paired_batch
from tests.methods.bdtr.tiny import tiny
from tests.reference.bdtr import cross_and_intra
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.base import Batch
from vireid.methods.bdtr.method import TopRanking
from vireid.methods.classified import ClassifiedOutputs

MARGINS = (0.5, 0.1)


def compared(embeddings, labels, visible, centres):
    return TopRanking(embeddings, Batch(torch.empty(0), labels, visible), centres, alone)


@given(st.integers(0, 999), st.integers(1, 5), st.integers(1, 12), st.integers(0, 12), st.booleans())
@settings(max_examples=80, deadline=None)
def test_losses_agree_with_the_slow_loops(seed, identities, rows, visible, centres):
    generator = torch.Generator().manual_seed(seed)
    embeddings = (0.2 * torch.randn(rows, 4, generator=generator, dtype=torch.float64)).requires_grad_()
    labels, visible = torch.randint(identities, (rows,), generator=generator), min(visible, rows)
    spectra = [row < visible for row in range(rows)]
    expected = cross_and_intra(embeddings.tolist(), labels.tolist(), spectra, MARGINS, centres)
    terms = compared(embeddings, labels, visible, centres)
    losses = terms.cross_loss(MARGINS[0]), terms.intra_loss(MARGINS[1])
    assert [loss.item() for loss in losses] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    sum(losses).backward()
    assert torch.isfinite(embeddings.grad).all()


def test_pairs_of_the_paper_by_hand():
    # Two pairs on a line: visible at 0 and 1, infrared at 0.2 and 0.6.
    embeddings, labels = torch.tensor([[0.0], [1.0], [0.2], [0.6]]), torch.tensor([0, 1, 0, 1])
    terms = compared(embeddings, labels, 2, centres=False)
    # Visible: 0.5 + 0.2 - 0.6, 0.5 + 0.4 - 0.8; infrared: 0.5 + 0.2 - 0.8 < 0, 0.5 + 0.4 - 0.6.
    assert terms.cross_loss(0.5).item() == pytest.approx((0.1 + 0.1) / 2 + 0.3 / 2, abs=1e-4)
    # Nearest of the own spectrum: 1 apart and 0.4 apart, both ways.
    assert terms.intra_loss(0.5).item() == pytest.approx(0.1, abs=1e-4)


@pytest.mark.parametrize(
    ("preset", "terms"),
    [
        ("bdtr", ["identity", "cross", "intra"]),
        ("bctr", ["identity", "cross"]),
        ("ebdtr", ["identity", "cross", "intra"]),
    ],
)
def test_presets_are_the_three_papers(preset, terms):
    recipe = recipe_of(preset, "paper")
    method = build_method("bdtr", 3, tiny(recipe["model"]), recipe["loss"])
    assert list(method.loss_weights) == terms
    assert list(losses_of(method, paired_batch([0, 1, 2], 64, 32))) == terms
    assert method.loss.centres is (preset == "ebdtr")
    assert method.loss_weights.get("intra", 0.1) == 0.1
    assert recipe["train"]["num_instances"] == (4 if preset == "ebdtr" else 1)


def test_embeddings_of_length_one_are_ranked_with_the_papers_margins():
    recipe = recipe_of("bdtr", "paper")
    torch.manual_seed(0)
    method, batch = build_method("bdtr", 3, tiny(recipe["model"]), recipe["loss"]), paired_batch([0, 1, 2], 64, 32)
    directions = torch.tensor([[3.0, 4.0], [5.0, 0.0], [0.0, 2.0], [1.0, 0.0], [3.0, 3.0], [0.0, 9.0]])
    losses = method.losses(ClassifiedOutputs(directions, torch.zeros(6, 3)), batch, alone)
    unit = directions / directions.norm(dim=1, keepdim=True)
    terms = compared(unit, batch.labels, batch.visible, centres=False)
    assert losses["cross"].item() == pytest.approx(terms.cross_loss(0.5).item(), rel=1e-6)
    assert losses["intra"].item() == pytest.approx(terms.intra_loss(0.1).item(), abs=1e-6)
    assert losses["cross"].item() != pytest.approx(terms.cross_loss(0.1).item(), rel=0.1)
