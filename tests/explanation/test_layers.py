"""Layers by name: the stages of every arrangement of trunks, any module, and no others. CPU, seconds."""

import pytest
import torch
from torch import nn

from vireid.backbones.trunks import build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.explanation.layers import default_layers, find_layer, sharing
from vireid.support.errors import UserError

STAGES = ["stage1", "stage2", "stage3", "stage4"]


def method(share_from):
    """A method-like module around a trunk; `share_from` None has one trunk for both modalities."""
    trunk = build_trunk("resnet10_half", False, 2)
    return nn.ModuleDict({"backbone": trunk if share_from is None else TwoStream(trunk, share_from)})


@pytest.mark.parametrize(
    ("share_from", "names"), [(1, STAGES), (2, STAGES[1:]), (4, STAGES[3:]), (5, STAGES), (None, STAGES)]
)
def test_default_is_the_shared_stages_or_all_where_none_is_shared(share_from, names):
    assert default_layers(method(share_from)) == names


@pytest.mark.parametrize("share_from", [1, 2, 3, 5, None])
def test_stages_are_those_that_make_the_maps(share_from):
    """In each modality the modules' outputs are the backbone's maps C2 to C5, in order."""
    net = method(share_from).eval()
    backbone, images, caught = net["backbone"], torch.randn(1, 3, 32, 32), []
    for modality in Modality:
        caught.clear()
        layers = [find_layer(net, name, modality) for name in STAGES]
        hooks = [layer.register_forward_hook(lambda *call: caught.append(call[-1])) for layer in layers]
        maps = backbone(images) if share_from is None else backbone(images, torch.tensor([int(modality)]))
        for hook in hooks:
            hook.remove()
        assert len(caught) == len(maps) == 4
        for output, expected in zip(caught, maps, strict=True):
            assert torch.equal(output, expected)


def test_words_say_which_stages_are_shared():
    assert sharing(method(3), [*STAGES, "backbone.shared.0"]) == ["separate", "separate", "shared", "shared", ""]
    assert sharing(method(5), STAGES) == ["separate"] * 4
    assert sharing(method(None), STAGES) == ["shared"] * 4


def test_any_module_is_found_by_its_path():
    net = method(2)
    assert find_layer(net, "backbone.shared.0.conv1", Modality.VISIBLE) is net["backbone"].shared[0].conv1


@pytest.mark.parametrize("name", ["stage5", "stage0", "", "backbone.shared.9"])
def test_unknown_layer_is_refused_with_what_there_is(name):
    with pytest.raises(UserError, match="no such layer") as caught:
        find_layer(method(2), name, Modality.VISIBLE)
    assert "stage1, stage2, stage3, stage4, or a module at or below backbone" in str(caught.value)
    assert "did you mean ?" not in str(caught.value)


def test_slip_of_the_pen_is_answered_with_close_names():
    with pytest.raises(UserError, match=r"did you mean backbone\.shared\.0\.conv1"):
        find_layer(method(2), "backbone.shared.0.conf1", Modality.VISIBLE)


def test_method_without_a_trunk_needs_a_layer():
    with pytest.raises(UserError, match=r"name one at or below 0, 1"):
        default_layers(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()))
