"""Trunks of timm: where they are cut, last stride, range of images, and those that are refused. CPU, seconds."""

import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from pydantic import ValidationError
from torch import nn

from tests.made import built_trunk
from vireid.backbones.timm_trunks import InputRange, build_network, cut, input_range
from vireid.data.augmentation import normalise

LITE0 = "timm:tf_efficientnet_lite0"
# A ResNet, one with pooled shortcuts, blocks in a sequence, everything in one sequence, and maps of stride 1.
NETWORKS = [
    "resnet18",
    "resnet50d",
    "mobilenetv3_small_050",
    "densenet121",
    "regnety_002",
    "vgg11_bn",
    "sedarknet21",
]


def settled(name):
    """A whole network of timm in eval mode, whose batch normalisation has seen something."""
    torch.manual_seed(0)
    network = timm.create_model(name)
    with torch.no_grad():
        network.train()(torch.rand(2, 3, 96, 64))
    return network.eval()


def shapes(trunk, height=288, width=144):
    with torch.no_grad():
        return [tuple(level.shape[1:]) for level in trunk.eval()(torch.zeros(1, 3, height, width))]


def test_lite0_has_the_maps_of_its_stages():
    trunk = built_trunk(LITE0)
    assert shapes(trunk) == [(24, 72, 36), (40, 36, 18), (112, 18, 9), (320, 9, 5)]
    assert trunk.channels == (24, 40, 112, 320)


def test_lite0_is_cut_between_its_blocks():
    network = timm.create_model("tf_efficientnet_lite0")
    stem, *stages = cut(network)
    assert [*stem] == [network.conv_stem, network.bn1]
    blocks = network.blocks
    assert [[*stage] for stage in stages] == [[*blocks[:2]], [blocks[2]], [*blocks[3:5]], [*blocks[5:]]]


def test_resnet_is_cut_as_that_of_torchvision():
    ours, theirs = built_trunk("timm:resnet18"), built_trunk("resnet18")
    for part in ("stem", "stages"):
        counts = [sum(p.numel() for p in getattr(trunk, part).parameters()) for trunk in (ours, theirs)]
        assert counts[0] == counts[1]
    assert shapes(ours) == shapes(theirs)
    assert isinstance(ours.stem[-1], nn.MaxPool2d)


def test_network_that_is_one_sequence_has_a_stem_of_stride_2():
    network = timm.create_model("densenet121")
    stem, first, *_ = cut(network)
    assert [*stem] == [network.features.conv0, network.features.norm0]
    assert [*first] == [network.features.pool0, network.features.denseblock1]


@pytest.mark.parametrize("name", [*NETWORKS, "tf_efficientnet_lite0"])
def test_maps_are_those_of_the_whole_network(name):
    network = settled(name)
    images = torch.rand(2, 3, 96, 64)
    places = [place for place, info in enumerate(network.feature_info) if info["reduction"] >= 4]
    with torch.no_grad():
        expected = network.forward_intermediates(images, indices=places, intermediates_only=True)
        values, *stages = images, *cut(network)
        for part, level in zip(stages, [None, *expected], strict=True):
            values = part(values)
            assert level is None or torch.equal(values, level)


@pytest.mark.parametrize("name", [*NETWORKS, "tf_efficientnet_lite0", "resnetv2_50d"])
def test_last_stride_of_1_keeps_the_resolution_of_c4_and_changes_nothing_else(name):
    with torch.device("meta"):
        kept, halved = (built_trunk(f"timm:{name}", last_stride=stride) for stride in (1, 2))
        before, after = shapes(halved), shapes(kept)
    assert after[:3] == before[:3]
    assert after[3] == (before[3][0], *before[2][1:])
    assert before[3] != after[3]
    states = [{key: value.shape for key, value in trunk.state_dict().items()} for trunk in (kept, halved)]
    assert states[0] == states[1]
    convolutions = [module for module in kept.stages[3].modules() if isinstance(module, nn.Conv2d)]
    assert {module.dilation for module in convolutions} <= {(1, 1)}  # VGG's last stage has none


def test_images_arrive_as_the_network_expects_them():
    pictures = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), dtype=np.uint8))
    for mean, std in (((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), ((0.0, 0.1, 0.2), (1.0, 0.5, 0.25))):
        expected = (pictures.permute(0, 3, 1, 2) / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(
            std
        ).view(3, 1, 1)
        torch.testing.assert_close(InputRange(mean, std)(normalise(pictures)), expected, rtol=0, atol=2e-6)


def test_range_is_that_of_the_networks_own_weights():
    assert input_range("resnet18") is None
    lite0 = input_range("tf_efficientnet_lite0")
    assert torch.equal(lite0.scale, InputRange((0.5,) * 3, (0.5,) * 3).scale)
    # Two weights of one network expect different images.
    assert input_range("efficientnet_b0.ra_in1k") is None
    assert input_range("resnetv2_50x1_bit.goog_in21k") is not None


@pytest.mark.parametrize("pretrained", [False, True])
def test_range_stands_before_the_stem_whatever_the_weights_are(pretrained):
    before = built_trunk(LITE0, pretrained).stem[0]
    assert isinstance(before, InputRange)
    assert [*before.parameters()] == []
    assert isinstance(built_trunk("timm:resnet18").stem[0], nn.Conv2d)


def test_range_is_saved_with_the_weights():
    state = built_trunk(LITE0).state_dict()
    assert state["stem.0.scale"].shape == state["stem.0.shift"].shape == (1, 3, 1, 1)


def test_same_seed_gives_the_same_weights():
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(built_trunk(LITE0).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert any(not torch.equal(states[0][key], states[2][key]) for key in states[0])


def test_checking_a_network_draws_no_random_number():
    torch.manual_seed(3)
    built_trunk("timm:resnet10t", last_stride=1)
    first = torch.rand(1)
    torch.manual_seed(3)
    build_network("resnet10t", False)
    assert torch.equal(first, torch.rand(1))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("timm:resnet5O", r"NAME with a name of timm, as .*resnet50"),
        ("timm:tf_efficientnet_lite0.in22k", r"as .*tf_efficientnet_lite0\.in1k"),
        ("timm:vit_base_patch16_224", r"can be cut into a stem and four stages.* strides 16"),
        ("timm:swin_tiny_patch4_window7_224", "Input height"),  # takes one size
        ("timm:mambaout_femto", "from 128x64 pixels its maps are"),  # channels last
        ("timm:dla34", "RuntimeError"),  # takes no other size than multiples of 32
        ("timm:hrnet_w18_small", "chain of modules"),
        ("timm:nest_tiny_jx", "strides 8, 4|strides 4, 8"),
    ],
)
def test_network_that_is_none_or_cannot_be_cut_is_refused(name, said):
    with pytest.raises(ValidationError, match=said) as error:
        built_trunk(name)
    assert error.value.errors()[0]["loc"] == ("name",)


def test_last_stage_that_cannot_keep_the_resolution_is_refused():
    built_trunk("timm:convnext_atto")
    with pytest.raises(ValidationError, match="2, as the last stage of timm:convnext_atto") as error:
        built_trunk("timm:convnext_atto", last_stride=1)
    assert error.value.errors()[0]["loc"] == ("last_stride",)


def test_timm_is_not_imported_for_other_trunks():
    program = (
        "import sys; from tests.made import built_trunk; built_trunk('resnet18'); print('timm' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
