"""A method that starts from the weights of a trained one. CPU, seconds."""

import pytest
import torch
from safetensors.torch import save_file

from tests.made import CONF, read_yaml
from tests.methods.hpiln.tiny import tiny
from vireid.backbones.pretrained import Origin, origins_of
from vireid.methods import build_method
from vireid.support.files import sha256


def sections(network, kind="hpi", **changes):
    preset = read_yaml(CONF / "method" / "hpiln.yaml")
    return tiny(preset["model"] | {"network": network}) | changes, preset["loss"] | {"kind": kind}


def built(num_pids, seed, network, kind="hpi", from_scratch=False, **changes):
    torch.manual_seed(seed)
    return build_method("hpiln", num_pids, *sections(network, kind, **changes), from_scratch=from_scratch)


@pytest.fixture(params=["plain", "pcb", "bfe", "hacnn"])
def network(request):
    return request.param


@pytest.mark.parametrize("kind", ["hpi", "centre"])
def test_method_starts_from_a_trained_model_of_other_identities(tmp_path, network, kind):
    trained, path = built(6, 1, network, kind), tmp_path / "weights.safetensors"
    save_file(trained.state_dict(), path)
    weights = f"{path}#sha256={sha256(path)}"
    # A trunk that has no ImageNet weights: asking for them would be an error.
    trunk = sections(network)[0]["trunk"] | {"pretrained": True}
    started = built(4, 2, network, weights=weights, trunk=trunk)
    heads = {id(value) for value in started.network.classifiers.parameters()}
    same = [
        torch.equal(value, trained.network.get_parameter(name))
        for name, value in started.network.named_parameters()
        if id(value) not in heads
    ]
    assert all(same)
    assert len(same) == len(list(started.network.parameters())) - len(heads)
    assert origins_of(started) == [Origin(path.name, "file", None, sha256(path))]
    path.unlink()
    assert origins_of(built(4, 2, network, from_scratch=True, weights=weights, trunk=trunk)) == []
