"""Loading weights that fit exactly, and what is said of those that do not. CPU, instant."""

import pytest
import torch
from torch import nn

from vireid.support.errors import UserError
from vireid.support.weights import load_weights


def module(layers=20):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers)))


def refused(state, into=None):
    with pytest.raises(UserError) as error:
        load_weights(into or module(), state, "weights.safetensors", "train again")
    assert len(str(error.value)) < 1000
    return error.value


def test_weights_that_fit_are_loaded():
    target = module()
    state = {name: torch.full_like(value, 0.5) for name, value in module().state_dict().items()}
    load_weights(target, state, "x", "y")
    assert all((value == 0.5).all() for value in target.state_dict().values())


@pytest.mark.parametrize(
    ("prefix", "said"), [("module", "DataParallel"), ("_orig_mod", "torch.compile"), ("net", "a module around it")]
)
def test_prefix_of_every_key_is_the_cause_that_is_named(prefix, said):
    error = refused({f"{prefix}.{name}": value for name, value in module().state_dict().items()})
    assert f"all keys begin with `{prefix}.`" in error.found
    assert said in error.found
    assert f"take `{prefix}.` off" in error.remedy


def test_at_most_ten_keys_are_named_and_the_others_counted():
    error = refused({f"other.{number}": torch.zeros(1) for number in range(300)})
    assert error.found.startswith("40 missing: 0.bias, ")
    assert "and 30 more; 300 unknown: " in error.found
    assert error.found.endswith("and 290 more")
    assert error.remedy == "train again"


def test_few_keys_are_all_named():
    state = module().state_dict()
    del state["3.bias"]
    assert refused(state).found == "1 missing: 3.bias"


def test_prefix_that_hides_another_model_is_not_given_as_the_cause():
    state = {f"module.{name}": value for name, value in module(3).state_dict().items()}
    assert "missing" in refused(state).found


def test_other_shapes_are_named_with_both():
    state = module().state_dict() | {"0.weight": torch.zeros(3, 2)}
    assert refused(state).found == "1 of another shape: 0.weight (3, 2) for (2, 2)"


def test_nothing_is_loaded_of_weights_that_do_not_fit():
    target = module()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    state = {name: torch.zeros_like(value) for name, value in before.items()}
    del state["0.bias"]
    refused(state, target)
    assert all(torch.equal(before[name], value) for name, value in target.state_dict().items())
