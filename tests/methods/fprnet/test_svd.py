"""FPRnet's SVD layers: the cycles of decorrelation, restraint and relaxation. CPU, seconds."""

import pytest
import torch

from tests.made import ROOT, read_yaml
from tests.methods.fprnet.small import DEMO, LABELS, MODALITY, PAPER, RELEASE, built, images
from vireid.methods import check_recipe, method_names
from vireid.params import Train
from vireid.support.errors import UserError

CYCLES = {"orthogonal": True, "cycles": 2, "first_epoch": 3, "restraint": 2, "relaxation": 1}


def svd_weights(method):
    layers = (*method.joint_head, *method.fusion_head, *method.single_layers)
    return [layer.linear.weight for layer in layers if hasattr(layer, "decorrelate")]


def test_cycles_decorrelate_then_hold_then_let_go():
    method = built(svd=CYCLES)
    course = []
    for epoch in range(11):
        with torch.no_grad():
            for weight in svd_weights(method):
                weight.add_(0.05)  # what training would do to it
        before = [weight.clone() for weight in svd_weights(method)]
        method.on_epoch(epoch, [])
        assert len(before) == 5
        changed = {not torch.equal(old, new) for old, new in zip(before, svd_weights(method), strict=True)}
        frozen = {not weight.requires_grad for weight in svd_weights(method)}
        course.append((changed.pop(), frozen.pop()))
        assert not changed
        assert not frozen
    free, start, held = (False, False), (True, True), (False, True)
    assert course == [free, free, free, start, held, free, start, held, free, free, free]


def test_orthogonality_is_one_after_decorrelating_and_is_measured_for_every_svd_layer():
    method = built(svd=CYCLES)
    names = {f"orthogonality/{name}" for name in ("joint_1", "fusion_1", "fusion_2", "visible_1", "infrared_1")}

    def measured():
        found = method.measures(method(images(), MODALITY), LABELS, MODALITY)
        return {name: value.item() for name, value in found.items() if name.startswith("orthogonality")}

    assert measured() == pytest.approx(dict.fromkeys(names, 1.0), abs=1e-3)
    with torch.no_grad():
        for weight in svd_weights(method):
            weight.add_(0.3)
    assert max(measured().values()) < 0.95
    method.on_epoch(3, [])
    assert measured() == pytest.approx(dict.fromkeys(names, 1.0), abs=1e-3)


def test_held_layers_have_no_gradient_and_everything_else_has():
    method = built(svd=CYCLES)
    method.on_epoch(3, [])
    losses = method.losses(method(images(), MODALITY), LABELS, MODALITY)
    sum(losses.values()).backward()
    without = {id(p) for p in method.parameters() if p.grad is None}
    assert without == {id(weight) for weight in svd_weights(method)}


def test_plain_layers_are_never_decorrelated():
    method = built(recipe=RELEASE)
    before = {name: value.clone() for name, value in method.state_dict().items()}
    for epoch in range(40):
        method.on_epoch(epoch, [])
    assert all(torch.equal(before[name], value) for name, value in method.state_dict().items())


def checked(recipe, **svd):
    """Check a recipe with changed cycles."""
    model = recipe["model"] | {"svd": recipe["model"]["svd"] | svd}
    check_recipe("fprnet", model, recipe["loss"], Train.model_validate(recipe["train"]))


def test_cycle_that_would_never_begin_is_refused():
    quick = read_yaml(ROOT / "conf" / "method" / "fprnet.yaml")["schedules"]["quick"]
    lengths = {"restraint": 5, "relaxation": 5}
    checked(quick, cycles=2, first_epoch=9, **lengths)  # the last begins as 19 of 20 epochs are done
    for changes in (
        {"cycles": 2, "first_epoch": 10},
        {"cycles": 3, "first_epoch": 9},
        {"cycles": 1, "first_epoch": 20},
    ):
        with pytest.raises(UserError, match="would never begin") as error:
            checked(quick, **changes, **lengths)
        assert error.value.where == "params.yaml, model.svd"
        assert "20 epochs of train.epochs" in error.value.expected


def test_cycles_of_the_presets_fit_their_schedules():
    checked(PAPER)
    assert PAPER["model"]["svd"]["cycles"] == 4
    checked(DEMO, cycles=3)
    for name in ("fprnet", "fprnet_release"):
        for recipe in read_yaml(ROOT / "conf" / "method" / f"{name}.yaml")["schedules"].values():
            checked(recipe)


@pytest.mark.parametrize("name", method_names())
def test_other_methods_refuse_no_recipe(name):
    demo = read_yaml(ROOT / "conf" / "method" / f"{name}.yaml")["schedules"]["demo"]
    check_recipe(name, demo["model"], demo["loss"], Train.model_validate(demo["train"] | {"epochs": 1}))
    with pytest.raises(UserError, match="wrong parameter"):
        check_recipe(name, demo["model"] | {"typo": 1}, demo["loss"], Train.model_validate(demo["train"]))
