"""SVDNet: decorrelation, restraint and relaxation, and what is ranked. CPU, seconds."""

import pytest
import torch
from torch import nn

from tests.made import recipe_of
from tests.methods.batches import embed_all, paired_batch, step_on
from tests.methods.svdnet.tiny import tiny
from vireid.methods import build_method, check_recipe
from vireid.params import Params
from vireid.support.errors import UserError

BATCH = paired_batch([0, 1, 2], 64, 32)
CYCLES = {"cycles": 2, "first_epoch": 3, "restraint": 2, "relaxation": 1}


def built(**model):
    torch.manual_seed(0)
    recipe = recipe_of("svdnet", "paper")
    return build_method("svdnet", 3, tiny(recipe["model"]) | {"svd": CYCLES} | model, recipe["loss"])


def held(method, epoch):
    """Names of the parameters whose learning rate is zero in an epoch."""
    names = {id(p): name for name, p in method.named_parameters()}
    groups, factors = method.param_groups(0.1), method.lr_factors(epoch)
    assert set(factors) <= {0.0, 1.0}
    return {
        names[id(p)] for group, factor in zip(groups, factors, strict=True) if not factor for p in group["params"]
    }


def test_cycles_hold_the_eigenlayer_and_then_the_early_layers_and_all_normalisation():
    method = built()
    early = {n for n, _ in method.named_parameters() if n.startswith(("backbone.stem.", "backbone.stages.0."))}
    norms = {
        f"{name}.{kind}"
        for name, module in method.backbone.named_modules(prefix="backbone")
        if isinstance(module, nn.BatchNorm2d)
        for kind in ("weight", "bias")
    }
    assert early
    assert norms - early
    restraint, relaxation = {"layer.weight"}, early | norms
    course = [held(method, epoch) for epoch in range(11)]
    assert course == [set()] * 3 + [restraint, restraint, relaxation] * 2 + [set()] * 2


def test_decorrelation_keeps_distances_and_makes_the_vectors_orthogonal():
    method = built()
    with torch.no_grad():
        method.layer.weight.add_(0.05)
    before, start = embed_all(method.eval(), BATCH)["embedding"], method.layer.weight.clone()
    for epoch in (0, 4, 5, 9):
        method.on_epoch(epoch, [])
        assert torch.equal(method.layer.weight, start)
    assert step_on(method, BATCH).measures["orthogonality"] < 0.9
    method.on_epoch(3, [])
    after = embed_all(method.eval(), BATCH)["embedding"]
    torch.testing.assert_close(torch.pdist(after), torch.pdist(before), rtol=1e-3, atol=1e-4)
    assert step_on(method, BATCH).measures["orthogonality"].item() == pytest.approx(1, abs=1e-3)


def test_nothing_stands_behind_the_eigenlayer_where_images_are_ranked():
    method = built(dropout=0.9).eval()
    pooled = method.backbone(BATCH.images)[-1].mean((2, 3))
    torch.testing.assert_close(embed_all(method, BATCH)["embedding"], pooled @ method.layer.weight.T)
    method.train()
    first, second = (method.outputs(BATCH) for _ in range(2))
    torch.testing.assert_close(first.embedding, second.embedding)
    assert not torch.equal(first.logits, second.logits)  # dropout stands before the classifier


def test_layer_that_cannot_be_orthogonal_is_refused():
    with pytest.raises(UserError, match="wider than its input"):
        built(width=257)  # of 256 channels


def test_cycle_that_would_never_begin_is_refused():
    recipe = recipe_of("svdnet", "demo")
    check_recipe(Params.model_validate(recipe))
    recipe["train"]["epochs"] = 8  # the last of two cycles begins with epoch 8, from 0
    with pytest.raises(UserError, match="never begin"):
        check_recipe(Params.model_validate(recipe))


def test_lengths_in_epochs_of_sysu_mm01_are_the_papers_steps():
    recipe = recipe_of("svdnet", "paper")
    train, cycles = recipe["train"], recipe["model"]["svd"]
    assert train["steps_per_epoch"] == "full"
    assert 2 * train["num_pids"] * train["num_instances"] == 16
    steps = 22_258 // (train["num_pids"] * train["num_instances"])  # visible images of its training identities
    assert cycles["first_epoch"] * steps == pytest.approx(25_000, abs=steps / 2)
    assert cycles["restraint"] * steps == cycles["relaxation"] * steps == pytest.approx(8_000, abs=steps / 2)
    one = cycles["restraint"] + cycles["relaxation"]
    assert train["epochs"] == cycles["first_epoch"] + cycles["cycles"] * one
    assert train["milestones"] == [cycles["first_epoch"] + 3 * one]  # where the fourth begins
