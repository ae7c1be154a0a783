"""Res-Mid: its three blocks on each kind of trunk, against torchvision's layers taken one by one. CPU, seconds."""

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.network_guards import counted, images
from vireid.backbones.trunks import TrunkSettings
from vireid.methods.hpiln.networks.res_mid import ResMid
from vireid.methods.hpiln.weights import load_network_weights
from vireid.support.files import sha256

PIDS, WIDTH = 5, 16
# Channels of the last three blocks: resnet10_half has one in each stage, resnet18 two; a stage of the others is
# a sequence, for timm one of sequences.
BLOCKS = {
    "resnet10_half": (64, 128, 256),
    "resnet18": (256, 512, 512),
    "mobilenet_v2": (160, 160, 320),
    "timm:tf_efficientnet_lite0": (192, 192, 320),
}
KINDS = ("BasicBlock", "InvertedResidual", "DepthwiseSeparableConv")  # blocks, by torchvision's and timm's names


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def built(trunk="resnet10_half", num_pids=PIDS, width=WIDTH):
    settings = TrunkSettings(name=trunk, pretrained=False, last_stride=2)
    return ResMid(num_pids, settings, ResMid.Settings(width=width))


def moved(norm):
    """A norm with contents that are no start's."""
    for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        nn.init.uniform_(values, 0.5, 1)
    return norm


def mean(maps):
    height, width = maps.shape[2:]
    return sum(maps[:, :, y, x] for y in range(height) for x in range(width)) / (height * width)


def embedded(first, second, last, linear, norm):
    """[ReLU(BN(W [v_a; v_b] + b)); v_c], written out."""
    fused = torch.cat([first, second], dim=1) @ linear.weight.T + linear.bias
    fused = (fused - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    return torch.cat([fused.clamp(min=0), last], dim=1)


def test_papers_network_has_its_parameters_and_widths():
    with torch.device("meta"):
        network = built("resnet50", 395, 1024).eval()
        outputs = network(torch.empty(2, 3, *ResMid.paper_size))
    assert counted(network) == (27_705_408, 28_919_243)
    assert (network.embedding_dim, network.compared_dims) == (3072, (3072,))
    assert ResMid.paper_size == (224, 224)
    assert outputs.embedding.shape == (2, 3072)
    assert [tuple(logits.shape) for logits in outputs.logits] == [(2, 395)]


def test_weights_by_torchreids_names_make_it_the_last_three_blocks_of_torchvisions_resnet50(tmp_path):
    theirs = resnet50(num_classes=1).eval()
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            moved(module)
    linear, norm, classify = nn.Linear(4096, WIDTH), moved(nn.BatchNorm1d(WIDTH)), nn.Linear(2048 + WIDTH, PIDS)
    state = {name: value for name, value in theirs.state_dict().items() if not name.startswith("fc.")}
    for prefix, module in (("fc_fusion.0", linear), ("fc_fusion.1", norm), ("classifier", classify)):
        state |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
    path = tmp_path / "theirs.pth"
    torch.save(state, path)
    network = built("resnet50").eval()
    load_network_weights(network, f"{path}#sha256={sha256(path)}")
    assert len(network.state_dict()) == len(state)
    rows = images(2)
    with torch.inference_mode():
        maps = theirs.maxpool(theirs.relu(theirs.bn1(theirs.conv1(rows))))
        maps = theirs.layer3(theirs.layer2(theirs.layer1(maps)))
        vectors = []
        for block in theirs.layer4:
            maps = block(maps)
            vectors.append(mean(maps))
        expected = embedded(*vectors, linear, norm)
        outputs = network(rows)
        torch.testing.assert_close(outputs.embedding, expected, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(outputs.logits, [classify(expected)], rtol=1e-4, atol=1e-4)
    assert [vectors is outputs.embedding for vectors in outputs.compared] == [True]
    assert (outputs.embedding[:, :WIDTH] == 0).any()
    assert outputs.embedding[:, :WIDTH].any()


@pytest.mark.parametrize("trunk", BLOCKS)
def test_any_trunk_gives_its_last_three_blocks(trunk):
    network, seen = built(trunk).eval(), []
    linear, norm = network.fc_fusion[0], moved(network.fc_fusion[1])
    for module in network.trunk.modules():
        if type(module).__name__ in KINDS:
            module.register_forward_hook(lambda _module, _inputs, result: seen.append(mean(result)))
    with torch.inference_mode():
        outputs = network(images(2))
        vectors = seen[-3:]
        assert tuple(vector.shape[1] for vector in vectors) == BLOCKS[trunk]
        torch.testing.assert_close(outputs.embedding, embedded(*vectors, linear, norm))
    assert linear.in_features == sum(BLOCKS[trunk][:2])
    assert outputs.embedding.shape == (2, network.embedding_dim) == (2, WIDTH + BLOCKS[trunk][2])
    assert network.compared_dims == (network.embedding_dim,)


def test_finding_the_widths_leaves_the_trunk_as_it_was():
    network = built()
    assert network.training
    assert all(module.training for module in network.modules())
    assert {value.device.type for value in network.state_dict().values()} == {"cpu"}
    counters = [value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")]
    assert counters
    assert not any(counters)


@pytest.mark.parametrize("trunk", BLOCKS)
def test_every_parameter_learns_and_only_the_classifier_from_identities_alone(trunk):
    guards.learns_wholly_and_only_the_classifier_from_identities_alone(built(trunk))


def test_evaluated_embedding_does_not_depend_on_batch_mates():
    guards.embeds_each_image_by_itself(built())


@pytest.mark.parametrize("trunk", BLOCKS)
def test_explained_are_the_maps_of_the_four_stages(trunk):
    guards.explains_the_maps_of_the_trunk(built(trunk))
