"""Layers by name: the stages of every arrangement of trunks, any module, and no others. CPU, seconds."""

import pytest
import torch
from torch import nn

from tests.made import built_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.explanation.layers import default_layers, find_layer, sharing
from vireid.methods.base import Embedder
from vireid.support.errors import UserError

STAGES = ["stage1", "stage2", "stage3", "stage4"]


class _Model(Embedder):
    """A trunk that names its stages, or a chain of layers that names none."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def embed(self, images, modality):
        return {"last": self.backbone.maps_of(images, modality)[-1].mean(dim=(2, 3))}

    def explained_layers(self, modality):
        return self.backbone.stages(modality) if isinstance(self.backbone, TwoStream) else {}


def model(share_from):
    return _Model(TwoStream(built_trunk("resnet10_half"), share_from))


@pytest.mark.parametrize(("share_from", "names"), [(1, STAGES), (2, STAGES[1:]), (4, STAGES[3:]), (5, STAGES)])
def test_default_is_the_shared_stages_or_all_where_none_is_shared(share_from, names):
    assert default_layers(model(share_from)) == names


@pytest.mark.parametrize("modality", Modality)
@pytest.mark.parametrize("share_from", [1, 2, 3, 5])
def test_stages_are_those_that_make_the_maps(share_from, modality):
    """In each modality the modules' outputs are the backbone's maps C2 to C5, in order."""
    net, caught = model(share_from).eval(), []
    for name in STAGES:
        find_layer(net, name, modality).register_forward_hook(lambda *call: caught.append(call[-1]))
    maps = net.backbone.maps_of(torch.randn(1, 3, 32, 32), modality)
    assert len(caught) == len(maps) == 4
    for output, expected in zip(caught, maps, strict=True):
        assert torch.equal(output, expected)


def test_words_say_which_stages_are_shared():
    assert sharing(model(3), [*STAGES, "backbone.shared.0"]) == ["separate", "separate", "shared", "shared", ""]
    assert sharing(model(5), STAGES) == ["separate"] * 4
    assert sharing(model(1), STAGES) == ["shared"] * 4


def test_any_module_is_found_by_its_path():
    net = model(2)
    assert find_layer(net, "backbone.shared.0.conv1", Modality.VISIBLE) is net.backbone.shared[0].conv1


@pytest.mark.parametrize("name", ["stage5", "stage0", "", "backbone.shared.9"])
def test_unknown_layer_is_refused_with_what_there_is(name):
    with pytest.raises(UserError, match="no such layer") as caught:
        find_layer(model(2), name, Modality.VISIBLE)
    assert "stage1, stage2, stage3, stage4, or a module at or below backbone" in str(caught.value)
    assert "did you mean ?" not in str(caught.value)


def test_slip_of_the_pen_is_answered_with_close_names():
    with pytest.raises(UserError, match=r"did you mean backbone\.shared\.0\.conv1"):
        find_layer(model(2), "backbone.shared.0.conf1", Modality.VISIBLE)


def test_model_that_names_no_layers_needs_one_and_takes_any_module():
    net = _Model(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
    with pytest.raises(UserError, match=r"name one at or below backbone"):
        default_layers(net)
    assert find_layer(net, "backbone.0", Modality.INFRARED) is net.backbone[0]
    with pytest.raises(UserError, match="no such layer") as caught:
        find_layer(net, "stage4", Modality.INFRARED)
    assert caught.value.expected == "or a module at or below backbone"
