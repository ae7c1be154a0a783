"""Trunks: maps of the FPRnet paper's Table 1, strides, and ImageNet weights. CPU, seconds, no network."""

import re
from importlib import metadata

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from torchvision.models import densenet121, mobilenet_v2, resnet18

from tests.made import built_trunk
from vireid.backbones.pretrained import Origin
from vireid.backbones.trunks import TRUNKS, blocks_of
from vireid.support.errors import UserError
from vireid.support.files import sha256

# Channels and sizes of C2..C5 for 288 x 144 images; the paper's Table 1.
TABLE_1 = [(256, 72, 36), (512, 36, 18), (1024, 18, 9), (2048, 9, 5)]


def maps_of(name, size=(64, 32)):
    trunk = built_trunk(name).eval()
    with torch.inference_mode():
        return trunk, trunk(torch.randn(1, 3, *size))


def weights_file(hub, name="resnet18"):
    return hub / TRUNKS[name].weights.url.rsplit("/", 1)[1]


def test_resnet50_has_the_maps_of_table_1():
    with torch.device("meta"):
        trunk = built_trunk("resnet50").eval()
        maps = trunk(torch.empty(1, 3, 288, 144))
    assert [tuple(level.shape[1:]) for level in maps] == TABLE_1
    assert trunk.channels == tuple(size[0] for size in TABLE_1)


def test_stem_of_resnet50_has_the_size_of_table_1():
    with torch.device("meta"):
        stem = built_trunk("resnet50").eval().stem_and_maps(torch.empty(1, 3, 288, 144))[0]
    assert tuple(stem.shape[1:]) == (64, 72, 36)


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("resnet10_half", (32, 64, 128, 256)),
        ("resnet18", (64, 128, 256, 512)),
        ("resnet34", (64, 128, 256, 512)),
        ("densenet121", (256, 512, 1024, 1024)),
        ("mobilenet_v2", (24, 32, 96, 320)),
    ],
)
def test_small_trunks_have_strides_4_to_32(name, channels):
    trunk, maps = maps_of(name)
    sizes = [(16, 8), (8, 4), (4, 2), (2, 1)]
    assert [tuple(level.shape[1:]) for level in maps] == [(c, *s) for c, s in zip(channels, sizes, strict=True)]
    assert trunk.channels == channels


@pytest.mark.parametrize("name", TRUNKS)
def test_last_stride_of_1_keeps_the_resolution_of_c4_and_changes_no_weight(name):
    with torch.device("meta"):
        kept, halved = (built_trunk(name, last_stride=stride) for stride in (1, 2))
        kept_maps, halved_maps = (trunk.eval()(torch.empty(1, 3, 288, 144)) for trunk in (kept, halved))
    assert kept_maps[-1].shape[2:] == kept_maps[-2].shape[2:] == (18, 9)
    assert [level.shape for level in kept_maps[:-1]] == [level.shape for level in halved_maps[:-1]]
    shapes = [{key: value.shape for key, value in trunk.state_dict().items()} for trunk in (kept, halved)]
    assert shapes[0] == shapes[1]


def test_small_trunk_has_one_block_per_stage():
    blocks = [type(stage).__name__ for stage in built_trunk("resnet10_half").stages]
    assert blocks == ["BasicBlock"] * 4


def test_blocks_of_a_stage_are_the_parts_of_plain_sequences_alone():
    class Block(nn.Sequential):
        """As DenseNet's transition, which is no sequence of blocks."""

    first, second, third = Block(nn.Identity(), nn.ReLU()), nn.ReLU(), Block(nn.ReLU())
    assert blocks_of(nn.Sequential(nn.Sequential(first, second), third)) == [first, second, third]
    assert blocks_of(third) == [third]


def test_weights_are_those_of_the_papers_time():
    weights = {name: kind.weights and kind.weights.name for name, kind in TRUNKS.items()}
    assert weights == dict.fromkeys(TRUNKS, "IMAGENET1K_V1") | {"resnet10_half": None}


def test_pretrained_trunk_has_the_weights_of_the_file(hub):
    torch.manual_seed(5)
    source = resnet18(weights=None)
    torch.save(source.state_dict(), weights_file(hub))
    trunk = built_trunk("resnet18", True, 1)
    pairs = [(trunk.stem[0], source.conv1), (trunk.stem[1], source.bn1)]
    pairs += list(zip(trunk.stages, [source.layer1, source.layer2, source.layer3, source.layer4], strict=True))
    for found, expected in pairs:
        assert found.state_dict().keys() == expected.state_dict().keys()
        for key, value in expected.state_dict().items():
            assert torch.equal(found.state_dict()[key], value)


def test_origin_of_torchvisions_weights_is_their_name_and_hash(hub):
    torch.save(resnet18(weights=None).state_dict(), weights_file(hub))
    source = f"torchvision {metadata.version('torchvision')}"
    expected = Origin("ResNet18_Weights.IMAGENET1K_V1", source, None, sha256(weights_file(hub)))
    assert built_trunk("resnet18", True).origin == expected
    assert built_trunk("resnet18").origin is None


def test_pretrained_mobilenet_has_the_weights_of_the_file_but_for_its_last_convolution(hub):
    torch.manual_seed(5)
    source = mobilenet_v2(weights=None)
    torch.save(source.state_dict(), weights_file(hub, "mobilenet_v2"))
    trunk = built_trunk("mobilenet_v2", True)
    parts = [module for part in (trunk.stem, *trunk.stages) for module in part]
    assert len(parts) == len(source.features) - 1
    for part, expected in zip(parts, source.features[:-1], strict=True):
        for key, value in expected.state_dict().items():
            assert torch.equal(part.state_dict()[key], value)


@pytest.mark.parametrize("named", [False, True], ids=["kept", "named"])
def test_pretrained_densenet_has_the_weights_of_the_file_and_ends_with_its_norm_and_relu(hub, named):
    torch.manual_seed(5)
    source = densenet121(weights=None).eval()
    old = {  # as torchvision's file has them
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])", r"\1.\2", name): value
        for name, value in source.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    path = weights_file(hub, "densenet121")
    torch.save(old, path)
    images = torch.randn(1, 3, 64, 32)
    trunk = built_trunk("densenet121", f"{path}#sha256={sha256(path)}" if named else True).eval()
    with torch.inference_mode():
        torch.testing.assert_close(trunk(images)[-1], source.features(images).relu())


@pytest.mark.parametrize("name", TRUNKS)
def test_no_stage_changes_the_map_that_it_is_given(name):
    trunk, before = built_trunk(name).eval(), []
    for stage in trunk.stages:
        stage.register_forward_pre_hook(lambda _module, inputs: before.append(inputs[0].clone()))
    with torch.inference_mode():
        *maps, _ = trunk.stem_and_maps(torch.randn(1, 3, 64, 32))
    assert all(torch.equal(*pair) for pair in zip(maps, before, strict=True))


def test_trunk_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(ValidationError, match=r"one of resnet10_half, .*mobilenet_v2"):
        built_trunk("resnet9000")


def test_untrained_trunk_needs_no_file(hub):
    built_trunk("resnet18", last_stride=1)
    assert list(hub.iterdir()) == []


def test_weights_that_cannot_be_had_are_an_error_with_a_remedy(hub):
    with pytest.raises(UserError, match="cannot be had") as error:
        built_trunk("resnet50", True, 2)
    assert error.value.where == weights_file(hub, "resnet50")
    assert "no route" in str(error.value.found)
    assert "model.trunk.pretrained: false" in error.value.remedy


def test_weights_of_a_wrapped_network_are_refused_with_the_cause(hub):
    state = {f"module.{name}": value for name, value in resnet18(weights=None).state_dict().items()}
    torch.save(state, weights_file(hub))
    with pytest.raises(UserError, match=r"all keys begin with `module\.`") as error:
        built_trunk("resnet18", True, 2)
    assert error.value.where == weights_file(hub)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_partial_or_foreign_weights_are_an_error(hub, change):
    state = resnet18(weights=None).state_dict()
    if change == "missing":
        del state["layer3.0.conv1.weight"]
    elif change == "extra":
        state["layer5.weight"] = torch.zeros(1)
    else:
        state["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    torch.save(state, weights_file(hub))
    with pytest.raises(UserError) as error:
        built_trunk("resnet18", True, 2)
    assert error.value.where == weights_file(hub)


@pytest.mark.parametrize("length", [0, 10, 100_000])
def test_weights_cut_short_are_an_error(hub, length):
    torch.save(resnet18(weights=None).state_dict(), weights_file(hub))
    weights_file(hub).write_bytes(weights_file(hub).read_bytes()[:length])
    with pytest.raises(UserError) as error:
        built_trunk("resnet18", True, 2)
    assert error.value.where == weights_file(hub)


def test_weights_file_never_runs_code(hub, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"conv1.weight": Payload()}, weights_file(hub))
    with pytest.raises(UserError):
        built_trunk("resnet18", True, 2)
    assert not (tmp_path / "ran").exists()


def test_small_trunk_has_no_imagenet_weights():
    with pytest.raises(UserError, match="no ImageNet weights") as error:
        built_trunk("resnet10_half", True, 2)
    assert "resnet18" in error.value.expected


def test_same_seed_gives_the_same_weights():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(built_trunk("resnet10_half", last_stride=1).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["stem.0.weight"], states[2]["stem.0.weight"])
