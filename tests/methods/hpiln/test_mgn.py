"""MGN: what is shared, what branches have for themselves, and the eight vectors by hand. CPU, seconds."""

import pytest
import torch

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.built import of_the_paper, small
from tests.methods.hpiln.network_guards import counted, images, untaught
from vireid.backbones.trunks import TrunkSettings, blocks_of, build_trunk
from vireid.methods.hpiln.networks.mgn import Mgn

# Blocks of a branch. Of its third stage resnet10_half has but the shared block, resnet18 one more, and the other
# trunk five more, in a sequence of sequences.
BLOCKS = {"resnet10_half": 0 + 1, "resnet18": 1 + 2, "timm:tf_efficientnet_lite0": 5 + 5}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def settings_of(trunk):
    return TrunkSettings(name=trunk, pretrained=False, last_stride=2)


def test_parameters_are_counted_by_hand():
    bottleneck3, bottleneck4 = 1_117_184, 14_964_736  # a later block of ResNet-50's third stage; its fourth stage
    branch, trunk, reduction = 5 * bottleneck3 + bottleneck4, 23_508_032, 2048 * 256 + 2 * 256
    without = trunk + 2 * branch + 8 * reduction
    assert counted(of_the_paper("mgn")) == (without, without + 8 * (256 * 395 + 395))


def test_branches_of_resnet50_begin_with_the_second_block_of_its_third_stage():
    network = of_the_paper("mgn")
    assert [len(blocks_of(part)) for part in network.shared][1:] == [3, 4, 1]
    for name, branch in network.branches.items():
        assert len(blocks_of(branch)) == 5 + 3
        strides = [block.conv2.stride[0] for block in blocks_of(branch)]
        assert strides == [1] * 5 + [2 if name == "whole" else 1, 1, 1]


@pytest.mark.parametrize("trunk", BLOCKS)
def test_branch_of_the_whole_map_is_at_first_the_trunk(trunk):
    torch.manual_seed(3)
    network = Mgn(4, settings_of(trunk), Mgn.Settings(width=8)).eval()
    torch.manual_seed(3)
    expected = build_trunk(settings_of(trunk)).eval()
    rows = images(2)
    with torch.inference_mode():
        maps = {name: branch(network.shared(rows)) for name, branch in network.branches.items()}
        torch.testing.assert_close(maps["whole"], expected(rows)[-1])
    assert [tuple(part.shape[2:]) for part in maps.values()] == [(2, 1), (4, 2), (4, 2)]


@pytest.mark.parametrize("trunk", BLOCKS)
def test_branches_start_equal_and_share_no_weight(trunk):
    network = Mgn(4, settings_of(trunk), Mgn.Settings(width=8))
    assert [len(blocks_of(branch)) for branch in network.branches.values()] == [BLOCKS[trunk]] * 3
    branches = [dict(branch.named_parameters()) for branch in network.branches.values()]
    assert all(torch.equal(branches[0][name], other[name]) for other in branches[1:] for name in other)
    ids = [id(p) for branch in branches for p in branch.values()] + [id(p) for p in network.shared.parameters()]
    assert len(ids) == len(set(ids))


def test_has_eight_maxima_of_three_branches():
    network, rows = small("mgn").eval(), images(4)
    shared = network.shared(rows)
    maps = {name: branch(shared) for name, branch in network.branches.items()}
    assert [tuple(part.shape[2:]) for part in maps.values()] == [(2, 1), (4, 2), (4, 2)]
    halves, thirds = maps["halves"], maps["thirds"]
    # Three strips of four rows: 0-1, 1-2, 2-3.
    parts = [maps["whole"], halves, halves[:, :, :2], halves[:, :, 2:]]
    parts += [thirds, thirds[:, :, :2], thirds[:, :, 1:3], thirds[:, :, 2:]]
    maxima = [part.flatten(2).max(dim=2).values for part in parts]
    vectors = [reduce(maximum) for reduce, maximum in zip(network.reductions, maxima, strict=True)]
    outputs = network(rows)
    torch.testing.assert_close(outputs.embedding, torch.cat(vectors, dim=1))
    assert [id(vectors) for vectors in outputs.compared] == [id(outputs.embedding)]
    for vector, classify, logits in zip(vectors, network.classifiers, outputs.logits, strict=True):
        torch.testing.assert_close(logits, classify(vector))


def test_learns_wholly_and_only_the_classifiers_from_identities_alone():
    network = small("mgn")
    assert untaught(network, torch.cat(network(images(8)).logits)) == set()
    classifiers = {f"classifiers.{number}.{part}" for number in range(8) for part in ("weight", "bias")}
    assert untaught(network, network(images(8)).compared[0]) == classifiers
    assert network.only_for_identities() == list(network.classifiers)


def test_embeds_each_image_by_itself():
    guards.embeds_each_image_by_itself(small("mgn"))
