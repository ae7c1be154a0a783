"""FPRnet's SVD layers: the cycles of decorrelation, restraint and relaxation. CPU, seconds."""

from itertools import pairwise

import pytest
import torch

from tests.made import CONF, recipe_of
from tests.methods.batches import losses_of, step_on
from tests.methods.cases import CASES
from tests.methods.fprnet.small import BATCH, PAPER, RELEASE, SCRATCH, built
from tests.methods.processes import train_in_two_processes
from vireid.layers import preset_names
from vireid.methods import check_recipe
from vireid.params import Params
from vireid.support.errors import UserError

CYCLES = {"orthogonal": True, "cycles": 2, "first_epoch": 3, "restraint": 2, "relaxation": 1}


def svd_weights(method):
    layers = (*method.joint_head, *method.fusion_head, *method.single_layers)
    return [layer.linear.weight for layer in layers if hasattr(layer, "decorrelate")]


def held(method, epoch):
    """Which parameters have a learning rate of zero in an epoch; all others have their full one."""
    groups, factors = method.param_groups(0.1), method.lr_factors(epoch)
    assert set(factors) <= {0.0, 1.0}
    of_zero = [group["params"] for group, factor in zip(groups, factors, strict=True) if factor == 0]
    return {id(parameter) for parameters in of_zero for parameter in parameters}


def test_cycles_decorrelate_then_hold_then_let_go():
    method = built(svd=CYCLES)
    weights = {id(weight) for weight in svd_weights(method)}
    course = []
    for epoch in range(11):
        with torch.no_grad():
            for weight in svd_weights(method):
                weight.add_(0.05)  # what training would do to it
        before = [weight.clone() for weight in svd_weights(method)]
        method.on_epoch(epoch, [])
        assert len(before) == 5
        changed = {not torch.equal(old, new) for old, new in zip(before, svd_weights(method), strict=True)}
        assert held(method, epoch) in (weights, set())
        course.append((changed.pop(), held(method, epoch) == weights))
        assert not changed
    free, start, restrained = (False, False), (True, True), (False, True)
    assert course == [free] * 3 + [start, restrained, free] * 2 + [free] * 2


@pytest.mark.parametrize("recipe", [SCRATCH, RELEASE])
def test_without_cycles_nothing_is_ever_held(recipe):
    method = built(recipe=recipe)
    assert all(held(method, epoch) == set() for epoch in range(80))


def test_orthogonality_is_one_after_decorrelating_and_is_measured_for_every_svd_layer():
    method = built(svd=CYCLES)
    names = {f"orthogonality/{name}" for name in ("joint_1", "fusion_1", "fusion_2", "visible_1", "infrared_1")}

    def measured():
        found = step_on(method, BATCH).measures
        return {name: value.item() for name, value in found.items() if name.startswith("orthogonality")}

    assert measured() == pytest.approx(dict.fromkeys(names, 1.0), abs=1e-3)
    with torch.no_grad():
        for weight in svd_weights(method):
            weight.add_(0.3)
    assert max(measured().values()) < 0.95
    method.on_epoch(3, [])
    assert measured() == pytest.approx(dict.fromkeys(names, 1.0), abs=1e-3)


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda groups: torch.optim.SGD(groups, momentum=0.9, nesterov=True, weight_decay=0.1),
        lambda groups: torch.optim.AdamW(groups, weight_decay=0.1),
    ],
    ids=["sgd", "adamw"],
)
def test_held_layers_stay_whatever_the_optimiser_remembers_and_everything_else_moves(optimizer):
    method = built(svd=CYCLES)
    optimizer = optimizer(method.param_groups(0.01))
    rates = [group["lr"] for group in optimizer.param_groups]
    weights = {id(weight) for weight in svd_weights(method)}

    def moved_in(epoch):
        for group, rate, factor in zip(optimizer.param_groups, rates, method.lr_factors(epoch), strict=True):
            group["lr"] = rate * factor
        before = {id(p): p.detach().clone() for p in method.parameters()}
        optimizer.zero_grad()
        sum(losses_of(method, BATCH).values()).backward()
        assert all(p.grad is not None for p in method.parameters() if p.requires_grad)
        optimizer.step()
        return {id(p) for p in method.parameters() if not torch.equal(p, before[id(p)])}

    everything = moved_in(2)
    assert weights < everything
    method.on_epoch(3, [])
    assert moved_in(3) == moved_in(4) == everything - weights
    assert moved_in(5) == everything


@pytest.mark.slow
def test_two_processes_train_through_a_cycle_and_end_with_the_same_weights(tmp_path):
    """Epochs 1 and 2 hold; `DistributedDataParallel` could not follow a gradient that is switched off."""
    method, num_pids, model, loss = CASES["fprnet-demo"]
    cycles = model | {"svd": CYCLES | {"cycles": 1, "first_epoch": 1}}
    case = (method, num_pids, cycles, loss)
    first, second = train_in_two_processes(tmp_path, {"cycles": case}, epochs=5)["cycles"]
    for ours, theirs in zip(first, second, strict=True):
        assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []
    layers = {f"{place}.linear.weight" for place in ("joint_head.0", "fusion_head.0", "fusion_head.2")}
    layers |= {f"single_layers.{modality}.linear.weight" for modality in (0, 1)}
    stayed = [{name for name in old if torch.equal(old[name], new[name])} for old, new in pairwise(first)]
    assert stayed == [set(), layers, set(), set()]  # decorrelated, held, let go, on it goes


def test_plain_layers_are_never_decorrelated():
    method = built(recipe=RELEASE)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    for epoch in range(40):
        method.on_epoch(epoch, [])
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def checked(recipe, **svd):
    """Check a recipe with changed cycles."""
    model = recipe["model"] | {"svd": recipe["model"]["svd"] | svd}
    check_recipe(Params.model_validate(recipe | {"model": model}))


def test_cycle_that_would_never_begin_is_refused():
    recipe = recipe_of("fprnet")
    recipe["train"]["epochs"] = 20
    lengths = {"restraint": 5, "relaxation": 5}
    checked(recipe, cycles=2, first_epoch=9, **lengths)  # the last begins as 19 of 20 epochs are done
    for changes in (
        {"cycles": 2, "first_epoch": 10},
        {"cycles": 3, "first_epoch": 9},
        {"cycles": 1, "first_epoch": 20},
    ):
        with pytest.raises(UserError, match="would never begin") as error:
            checked(recipe, **changes, **lengths)
        assert error.value.where == "params.yaml, model.svd"
        assert "20 epochs of train.epochs" in error.value.expected


def test_cycles_of_the_presets_fit_their_schedules():
    checked(PAPER)
    assert PAPER["model"]["svd"]["cycles"] == 4
    checked(SCRATCH, cycles=3)
    for name in ("fprnet", "fprnet_release"):
        for schedule in preset_names(CONF, "schedule"):
            checked(recipe_of(name, schedule))


@pytest.mark.parametrize("name", ["baseline", "fprnet", "tffn"])
def test_methods_without_cycles_refuse_no_recipe(name):
    recipe = recipe_of(name)
    check_recipe(Params.model_validate(recipe | {"train": recipe["train"] | {"epochs": 1}}))
