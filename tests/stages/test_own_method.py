"""A method of one's own with its own sections, from train to explain. CPU, seconds."""

import json

import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file
from torch import nn
from typer.testing import CliRunner

from tests.made import read_yaml, write_params
from tests.methods.own import Centred, Own
from vireid import methods
from vireid.cli import app
from vireid.methods import build_method
from vireid.params import Section
from vireid.retrieval.features import read_features


def add_method(monkeypatch, name, cls):
    """Let a class be found as if it lay in a folder of its name."""
    known = methods.method_class
    monkeypatch.setattr(methods, "method_class", lambda asked: cls if asked == name else known(asked))


@pytest.fixture
def own_project(project, dataset, monkeypatch):
    """The project with the method in its parameters."""
    add_method(monkeypatch, "own", Own)
    write_params(project / "params.yaml", dataset)
    values = read_yaml(project / "params.yaml")
    values |= {"method": "own", "recipe": "own", "model": {"width": 8}, "loss": {"identity": 1.0}}
    YAML().dump(values, project / "params.yaml")
    return project


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_own_method_is_trained_embedded_searched_with_and_explained(stage, own_project, dataset):
    for name in ("train", "extract"):
        result = stage(name)
        assert result.exit_code == 0, result.output
    query = ("--query-modality", "infrared", "--gallery-modality", "visible", "--device", "cpu")
    result = run("search", dataset / "cam3/0013/0001.jpg", "--gallery", dataset / "cam1", *query)
    assert result.exit_code == 0, result.output
    result = run("explain", "--pid", 13, "--layer", "maps.0")
    assert result.exit_code == 0, result.output
    assert "of own's embedding pooled" in result.stdout


@pytest.mark.parametrize(("holdout", "scored"), [(4, True), (0, False)])
def test_method_in_closed_form_has_the_same_model_features_and_results(
    stage, project, dataset, monkeypatch, holdout, scored
):
    add_method(monkeypatch, "centred", Centred)
    write_params(project / "params.yaml", dataset, train__holdout_pids=holdout, evaluate__ranks=[1])
    values = read_yaml(project / "params.yaml")
    values |= {"method": "centred", "recipe": "centred", "model": {"width": 3}, "loss": {}}
    YAML().dump(values, project / "params.yaml")
    for name in ("train", "extract", "evaluate", "figures"):
        result = stage(name)
        assert result.exit_code == 0, result.output
    assert (project / "results/train/plots/metrics/fit/visible_images.tsv").is_file()  # DVC asks for the folder
    assert (project / "results/figures/training.png").is_file()
    description = json.loads((project / "artifacts/model/model.json").read_text())
    assert (description["method"], description["selected_epoch"]) == ("centred", 0)
    assert bool(description["selected_by"]) == scored
    state = load_file(project / "artifacts/model/weights.safetensors")
    assert state["means"].shape == (2, 9)
    assert state["means"].abs().min() > 0
    features = read_features(project / "artifacts/features.h5")
    assert features.visible.embeddings["grey"].shape == (len(features.visible), 9)


class Words(Section):
    """A section that says in a word where the first weights come from."""

    width: int
    pretrained: str


class Fetching(Own):
    """Fetches its weights unless its section says `nothing`."""

    Model = Words

    def __init__(self, num_pids, model, loss):
        super().__init__(num_pids, model, loss)
        self.fetched = nn.Parameter(self.classifier.bias.detach().clone())
        assert model.pretrained == "nothing", "a file holds all weights"

    @classmethod
    def from_scratch(cls, model):
        """See `Embedder.from_scratch`."""
        return model.model_copy(update={"pretrained": "nothing"})


def test_method_says_itself_how_it_is_built_without_fetching_weights(monkeypatch):
    add_method(monkeypatch, "fetching", Fetching)
    sections = {"width": 8, "pretrained": "somewhere"}, {"identity": 1.0}
    with pytest.raises(AssertionError, match="a file holds all weights"):
        build_method("fetching", 4, *sections)
    assert isinstance(build_method("fetching", 4, *sections, from_scratch=True), Fetching)


class Started(Section):
    """A section that may name a file to start from, and sections within it that may, too."""

    weights: str | bool | None
    pretrained: bool | str
    inner: "Started | None"


def test_files_of_weights_and_pretrained_ones_are_switched_off_by_default_at_any_depth():
    section = Started(weights="a", pretrained=True, inner=Started(weights="b", pretrained=False, inner=None))
    expected = Started(weights=None, pretrained=False, inner=Started(weights=None, pretrained=False, inner=None))
    assert Own.from_scratch(section) == expected
    other = Started(
        weights=True, pretrained="in a word", inner=None
    )  # of another meaning: the method's own business
    assert Own.from_scratch(other) == other
