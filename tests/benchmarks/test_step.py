"""The benchmark of the training step: presets read as they are, and a step at a tiny size. CPU, seconds."""

import importlib.util

import pytest
import torch

from tests.made import ROOT, recipe_of
from vireid.compute import Device


@pytest.fixture(scope="module")
def benchmark():
    spec = importlib.util.spec_from_file_location("step_benchmark", ROOT / "benchmarks" / "step.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_recipe_and_size_are_those_of_the_presets(benchmark):
    expected = recipe_of("fprnet", "paper")
    recipe = benchmark.recipe_of("fprnet", "paper", 0)
    assert recipe.train.model_dump() == expected["train"]
    assert (recipe.ingest.height, recipe.ingest.width) == (288, 144)
    changed = benchmark.recipe_of("fprnet", "paper", 5)
    assert changed.train.model_dump() == expected["train"] | {"num_pids": 5}


@pytest.mark.parametrize("name", ["fprnet", "tffn"])
def test_step_moves_the_weights_by_the_recipes_optimiser_and_measures(benchmark, name, monkeypatch):
    torch.manual_seed(0)
    recipe = benchmark.recipe_of(name, "demo", 2)
    settings, method = recipe.train, benchmark.built(recipe)
    measured, optimizers = [], []

    def build_optimizer(*arguments):
        optimizers.append(original(*arguments))
        return optimizers[-1]

    original = benchmark.build_optimizer
    monkeypatch.setattr(benchmark, "build_optimizer", build_optimizer)
    monkeypatch.setattr(method, "measures", lambda *arguments: measured.append(arguments) or {})
    images = torch.randn(2 * settings.num_pids * settings.num_instances, 3, 32, 32)
    step = benchmark.training_step(method, settings, Device("cpu", "fp32", 1), images)
    before = [parameter.detach().clone() for parameter in method.parameters()]
    step()
    assert any(not torch.equal(old, new) for old, new in zip(before, method.parameters(), strict=True))
    assert len(measured) == 1
    (optimizer,) = optimizers
    assert type(optimizer).__name__.lower() == settings.optimizer
    assert optimizer.defaults["weight_decay"] == settings.weight_decay
    assert optimizer.defaults.get("nesterov", settings.nesterov) == settings.nesterov
