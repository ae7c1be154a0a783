"""The benchmark of presets: HPILN's networks, the compared methods, and a row of its table. CPU, seconds."""

import sys
from importlib import import_module

import pytest
from typer import Typer
from typer.testing import CliRunner

from tests.made import ROOT
from vireid.compute import Device
from vireid.methods import build_method
from vireid.methods.hpiln.architecture import NETWORKS


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(ROOT / "benchmarks"))  # as for a script there, which imports its neighbour
    try:
        yield import_module("methods")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_all_networks_are_there_and_the_first_is_what_the_others_are_compared_with(benchmark):
    names = benchmark.named(["hpiln_*"])
    recipes = [benchmark.recipe_of(name, "paper", 0) for name in names]
    assert (len(names), names[0]) == (9, "hpiln_resnet50")
    assert {recipe.model["network"] for recipe in recipes} == set(NETWORKS)
    assert {recipe.train.num_pids * recipe.train.num_instances for recipe in recipes} == {32}


def test_row_tells_the_networks_size_and_a_steps_time(benchmark):
    app = Typer()
    app.command()(benchmark.main)
    options = ["hpiln_res_mid", "--schedule", "smoke", "--pids", "2", "--steps", "1"]
    result = CliRunner().invoke(app, [*options, "--device", "cpu"])
    assert result.exit_code == 0, result.output
    recipe = benchmark.recipe_of("hpiln_res_mid", "smoke", 2)
    network = build_method("hpiln", 395, recipe.model, recipe.loss, from_scratch=True).network
    row = next(line for line in result.stdout.splitlines() if "res_mid" in line).split()
    parameters = sum(p.numel() for p in network.parameters())
    size = [str(recipe.ingest.height), str(recipe.ingest.width)]
    assert row[:5] == ["hpiln_res_mid", *size, str(network.embedding_dim), f"{parameters:,}"]
    memory, seconds, trained, embedded, times = (float(value.replace(",", "")) for value in row[5:])
    assert memory > 100
    assert seconds > 0
    images = 2 * 2 * recipe.train.num_instances
    assert trained == pytest.approx(images / seconds, rel=0.2)  # of rounded seconds
    assert embedded > trained
    assert times == 1


def test_compared_methods_are_those_of_the_results_each_once(benchmark):
    names = benchmark.compared()
    assert names[:2] == ["baseline", "fprnet"]
    assert {"agw", "ddag", "xmodal", "svdnet", "hog_lfda", "lomo_lfda"} <= set(names)
    assert len(names) == len(set(names))


def test_fit_is_the_one_step_of_a_fitted_method(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "FITTED_PIDS", 6)
    measured = benchmark.measure("hog_euclidean", "smoke", 0, 1, Device("cpu", "fp32", 1))
    images = 2 * 6 * benchmark.recipe_of("hog_euclidean", "smoke", 0).model["images_per_pid"]
    assert (measured.images, measured.parameters) == (images, 0)
    assert measured.step > 0
    assert measured.embedded > 0
