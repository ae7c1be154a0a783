"""Starting a whole network from a file: what is taken, and what is refused. CPU, seconds."""

from typing import ClassVar

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.made import built_trunk
from vireid.backbones.pretrained import Origin, origins_of
from vireid.methods.hpiln.networks.base import NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.weights import load_network_weights
from vireid.support.errors import UserError
from vireid.support.files import sha256

PIDS = 5
TORCHREID_NAMES = {  # of `Tiny`, by hand
    "stem.weight": "conv1.weight",
    "norm.weight": "layers.0.bn.weight",
    "norm.bias": "layers.0.bn.bias",
    "norm.running_mean": "layers.0.bn.running_mean",
    "norm.running_var": "layers.0.bn.running_var",
    "norm.num_batches_tracked": "layers.0.bn.num_batches_tracked",
    "fc.weight": "fc.weight",
    "fc.bias": "fc.bias",
    "classifiers.0.weight": "classifier_a.weight",
    "classifiers.0.bias": "classifier_a.bias",
    "classifiers.1.weight": "classifier_b.weight",
    "classifiers.1.bias": "classifier_b.bias",
}


class Tiny(ReidNetwork):
    """A convolution, a norm, a linear layer and two classifiers."""

    key_map: ClassVar = (
        (r"conv1\.", "stem."),
        (r"layers\.(\d+)\.bn\.", "norm."),
        (r"classifier_a\.", "classifiers.0."),
        (r"classifier_b\.(weight|bias)", r"classifiers.1.\1"),
        (r"auxiliary", ""),
    )
    embedding_dim, compared_dims = 4, (4,)

    def __init__(self, num_pids=PIDS, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.stem, self.norm, self.fc = nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Linear(4, 4)
        for values in (self.norm.weight, self.norm.bias, self.norm.running_mean, self.norm.running_var):
            nn.init.uniform_(values)
        self.norm.num_batches_tracked.fill_(seed)
        self.classifiers = nn.ModuleList(nn.Linear(4, num_pids) for _ in range(2))

    def forward(self, images):
        """See `ReidNetwork.forward`."""
        vectors = self.fc(self.norm(self.stem(images)).mean((2, 3)))
        return NetworkOutputs(vectors, [vectors], self.classified([vectors, vectors]))

    def explained_layers(self):
        """See `ReidNetwork.explained_layers`."""
        return {"stem": self.stem}


class OnTrunk(Tiny):
    """The same, on a trunk."""

    def __init__(self):
        super().__init__()
        self.trunk = built_trunk("resnet10_half")


def ours(num_pids=PIDS):
    return Tiny(num_pids, seed=1).state_dict()


def theirs(num_pids=PIDS):
    """The same values by torchreid's names."""
    return {TORCHREID_NAMES[name]: value for name, value in ours(num_pids).items()}


def prefixed(state, prefix):
    return {f"{prefix}{name}": value for name, value in state.items()}


def without(state, *words):
    return {name: value for name, value in state.items() if not any(word in name for word in words)}


def saved(content, folder, name="mine.pth"):
    """Write a file; its path with its hash."""
    path = folder / name
    (save_file if name.endswith(".safetensors") else torch.save)(content, path)
    return f"{path}#sha256={sha256(path)}"


def loaded(content, folder, name="mine.pth"):
    network = Tiny()
    load_network_weights(network, saved(content, folder, name))
    return network.state_dict()


def refused(content, folder, network=None):
    """The error of a file that does not fit; nothing of it is loaded."""
    network = network or Tiny()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_network_weights(network, saved(content, folder))
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert origins_of(network) == []
    assert error.value.where == folder / "mine.pth"
    return error.value


def differing(state, expected):
    return {name for name, value in state.items() if not torch.equal(value, expected[name])}


def test_two_networks_differ_in_every_weight():
    assert differing(Tiny().state_dict(), ours()) == TORCHREID_NAMES.keys()


@pytest.mark.parametrize("name", ["mine.pth", "mine.pth.tar", "mine.safetensors"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
@pytest.mark.parametrize(
    "state", [ours(), prefixed(ours(), "network."), theirs()], ids=["ours", "model", "theirs"]
)
def test_weights_are_taken_by_either_names_behind_any_wrapper(tmp_path, capsys, state, prefix, name):
    assert differing(loaded(prefixed(state, prefix), tmp_path, name), ours()) == set()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("entry", ["state_dict", "model"])
def test_weights_are_taken_out_of_a_checkpoint(tmp_path, entry):
    others = {"epoch": 60, "rank1": torch.tensor(0.9).numpy()[()], "optimizer": {"state": {}, "param_groups": []}}
    state = prefixed(theirs(), "module.")
    assert differing(loaded(others | {entry: state}, tmp_path), ours()) == set()


def test_origin_tells_of_the_file(tmp_path):
    network, text = Tiny(), saved(theirs(), tmp_path)
    load_network_weights(network, text)
    assert origins_of(nn.Sequential(network)) == [Origin("mine.pth", "file", None, text[-64:])]


def test_weight_that_the_network_does_not_have_is_passed_over_if_the_key_map_says_so(tmp_path):
    state = theirs() | {"auxiliary.0.weight": torch.zeros(2)}
    assert differing(loaded(state, tmp_path), ours()) == set()


def test_centres_of_a_trained_model_are_passed_over(tmp_path):
    state = prefixed(ours(), "network.") | {"centres.0.values": torch.zeros(PIDS, 4)}
    assert differing(loaded(state, tmp_path), ours()) == set()


@pytest.mark.parametrize("state", [ours, theirs], ids=["ours", "theirs"])
@pytest.mark.parametrize("told", ["none", "them for 7 identities"])
def test_classifiers_stay_as_initialised_if_the_file_has_none_or_other_ones(tmp_path, capsys, state, told):
    content = without(state(), "classifiers", "classifier") if told == "none" else state(num_pids=7)
    found = loaded(content, tmp_path)
    heads = {name for name in found if name.startswith("classifiers.")}
    assert len(heads) == 4
    assert differing(found, Tiny().state_dict() | without(ours(), "classifiers")) == set()
    assert " ".join(capsys.readouterr().err.split()).endswith(f"stay as initialised, as the file has {told}")


def test_counters_may_be_missing_and_stay(tmp_path):
    found = loaded(without(theirs(), "num_batches_tracked"), tmp_path)
    assert differing(found, ours()) == {"norm.num_batches_tracked"}
    assert found["norm.num_batches_tracked"] == 0


def heads_of(first, second, inputs=4):
    """Two classifiers for numbers of identities, by our names."""
    sizes = {"classifiers.0": first, "classifiers.1": second}
    weights = {f"{name}.weight": torch.zeros(rows, inputs) for name, rows in sizes.items()}
    return weights | {f"{name}.bias": torch.zeros(rows) for name, rows in sizes.items()}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"classifiers.1.weight": None, "classifiers.1.bias": None},
            "2 missing: classifiers.1.bias, classifiers.1.weight",
        ),
        ({"classifiers.0.bias": None}, "1 missing: classifiers.0.bias"),
        (
            {"classifiers.0.weight": torch.zeros(7, 4)},
            "1 of another shape: classifiers.0.weight (7, 4) for (5, 4)",
        ),
        (
            heads_of(PIDS, 7),
            "2 of another shape: classifiers.1.bias (7,) for (5,), classifiers.1.weight (7, 4) for (5, 4)",
        ),
        (heads_of(7, 9), "4 of another shape: "),
        (heads_of(7, 7, inputs=3), "4 of another shape: "),
        (heads_of(7, 7) | {"classifiers.1.bias": None}, "1 missing: classifiers.1.bias; 3 of another shape: "),
    ],
    ids=["one of two", "no bias", "one weight", "one classifier", "two numbers", "other inputs", "in part"],
)
def test_classifiers_that_are_there_in_part_are_refused(tmp_path, change, told):
    state = {name: value for name, value in (ours() | change).items() if value is not None}
    assert refused(state, tmp_path).found.startswith(told)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fc.weight": None}, "1 missing: fc.weight"),
        ({"layers.0.bn.running_var": None}, "1 missing: norm.running_var"),
        ({"fc.0.weight": torch.zeros(4, 4)}, "1 unknown: fc.0.weight"),
        (
            {"conv1.weight": torch.zeros(4, 1, 3, 3)},
            "1 of another shape: stem.weight (4, 1, 3, 3) for (4, 3, 3, 3)",
        ),
        ({"network.fc.weight": torch.zeros(4, 4)}, "1 unknown: network.fc.weight"),
    ],
)
def test_any_other_difference_is_refused(tmp_path, change, told):
    state = {name: value for name, value in (theirs() | change).items() if value is not None}
    error = refused(state, tmp_path)
    assert error.found == told
    assert "model.weights: null" in error.remedy
    assert "model.trunk.pretrained" not in error.remedy


def test_at_most_ten_names_are_told(tmp_path):
    error = refused(theirs() | {f"other.{number:02}": torch.zeros(1) for number in range(25)}, tmp_path)
    assert error.found.startswith("25 unknown: other.00, ")
    assert error.found.endswith("other.09, and 15 more")


def test_two_weights_for_one_are_refused(tmp_path):
    error = refused(theirs() | {"layers.1.bn.bias": torch.zeros(4)}, tmp_path)
    assert error.found == "layers.0.bn.bias and layers.1.bn.bias for norm.bias"


def test_weights_of_the_trunk_alone_are_sent_to_the_parameter_for_them(tmp_path):
    state = prefixed(built_trunk("resnet10_half").state_dict(), "trunk.")
    assert (
        "its trunk alone, as ImageNet's, are for model.trunk.pretrained"
        in refused(state, tmp_path, OnTrunk()).remedy
    )


def test_network_without_a_key_map_takes_its_own_names_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(Tiny, "key_map", None)
    assert differing(loaded(ours(), tmp_path), ours()) == set()
    assert "unknown: " in refused(theirs(), tmp_path).found


def test_another_file_than_the_parameter_says_is_refused(tmp_path):
    text = saved(ours(), tmp_path)
    saved(ours(num_pids=7), tmp_path)
    with pytest.raises(UserError, match="not the weights expected") as error:
        load_network_weights(Tiny(), text)
    assert error.value.remedy == "correct model.weights if these are the weights you mean"
    with pytest.raises(UserError, match="there is no such file") as error:
        load_network_weights(Tiny(), text.replace("mine", "yours"))
    assert "model.weights names" in error.value.expected
    assert "model.weights: null" in error.value.remedy


def test_file_never_runs_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    error = refused({"state_dict": theirs(), "epoch": Payload()}, tmp_path)
    assert error.problem == "no weights can be read"
    assert not (tmp_path / "ran").exists()
