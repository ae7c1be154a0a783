"""BFE: both branches by hand, and the rectangle's place and size. CPU, seconds."""

import pytest
import torch

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.built import of_the_paper, small
from tests.methods.hpiln.network_guards import counted, images, untaught
from vireid.backbones.trunks import TrunkSettings
from vireid.methods.hpiln.networks.bfe import Bfe


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def maps_of(network):
    """What comes out of the extra block, and what is reduced after the erasing, by call of the network."""
    before, maxima = [], []
    network.bottleneck.register_forward_hook(lambda _module, _inputs, result: before.append(result))
    network.erasing.register_forward_hook(lambda _module, inputs, _result: maxima.append(inputs[0]))
    return before, maxima


def test_parameters_are_counted_by_hand():
    trunk, bottleneck = 23_508_032, 2048 * 512 + 9 * 512 * 512 + 512 * 2048 + 2 * (512 + 512 + 2048)
    without = trunk + bottleneck + sum(2048 * width + width + 2 * width for width in (512, 1024))
    assert counted(of_the_paper("bfe")) == (without, without + 512 * 395 + 1024 * 395 + 2 * 395)


def test_by_hand():
    network, rows = small("bfe").eval(), images(4)
    maps = network.trunk(rows)[-1]
    assert maps.shape[2:] == (4, 2)
    whole = network.reduction(maps.mean(dim=(2, 3)))
    erasing = network.erasing(network.bottleneck(maps).flatten(2).max(dim=2).values)
    outputs = network(rows)
    torch.testing.assert_close(outputs.compared, [whole, erasing])
    torch.testing.assert_close(
        outputs.logits, [c(v) for c, v in zip(network.classifiers, (whole, erasing), strict=True)]
    )


def test_embeds_the_erasing_branch_or_both():
    rows = images(4)
    for both, expected in ((False, 32), (True, 48)):
        network = small("bfe", concatenate=both).eval()
        outputs = network(rows)
        assert [vectors.shape[1] for vectors in outputs.compared] == [16, 32]
        assert network.embedding_dim == outputs.embedding.shape[1] == expected
        assert torch.equal(outputs.embedding, torch.cat(outputs.compared, dim=1) if both else outputs.compared[1])


def test_rectangle_moves_and_keeps_its_size():
    network = small("bfe", rectangle_height=0.33, rectangle_width=0.5)
    masks = torch.stack([network._kept(torch.zeros(2, 3, 16, 8)) for _ in range(200)])
    assert masks.shape == (200, 16, 8)
    erased = 1 - masks
    assert erased.sum(dim=(1, 2)).unique().tolist() == [5 * 4]  # of 16 and 8: 5.28 and 4
    rows, columns = erased.amax(dim=2), erased.amax(dim=1)
    assert rows.sum(dim=1).unique().tolist() == [5]
    assert {int(row.argmax()) for row in rows} == set(range(16 - 5 + 1))
    assert {int(column.argmax()) for column in columns} == set(range(8 - 4 + 1))


def test_place_is_drawn_on_the_cpu_whatever_the_maps_are_on():
    network = small("bfe", rectangle_height=0.33, rectangle_width=0.5)
    torch.manual_seed(5)
    network._kept(torch.zeros(2, 3, 16, 8))
    expected = torch.get_rng_state()
    torch.manual_seed(5)
    assert network._kept(torch.zeros(2, 3, 16, 8, device="meta")).device.type == "meta"
    assert torch.equal(torch.get_rng_state(), expected)


def test_one_rectangle_is_erased_from_the_extra_blocks_maps_of_all_images():
    network = small("bfe", rectangle_height=0.5, rectangle_width=0.5)
    before, maxima = maps_of(network)
    torch.manual_seed(5)
    network(images(4))
    torch.manual_seed(5)
    images(4)
    kept = network._kept(before[0])
    assert kept.sum() == 4 * 2 - 2 * 1
    expected = before[0][:, :, kept.bool()].amax(dim=2)  # ReLU leaves nothing below the erased zeros
    assert torch.equal(maxima[0], expected)
    assert not torch.equal(expected, before[0].amax(dim=(2, 3)))


def test_nothing_is_erased_in_eval():
    network = small("bfe", rectangle_height=1.0, rectangle_width=1.0)
    before, maxima = maps_of(network)
    network(images(2))
    network.eval()(images(2))
    assert not maxima[0].any()  # everything is erased
    assert torch.equal(maxima[1], before[1].amax(dim=(2, 3)))
    assert maxima[1].any()


def test_learns_wholly_and_only_the_classifiers_from_identities_alone():
    network = small("bfe")
    assert untaught(network, torch.cat(network(images(8)).logits)) == set()
    classifiers = {f"classifiers.{number}.{part}" for number in range(2) for part in ("weight", "bias")}
    assert untaught(network, torch.cat(network(images(8)).compared, dim=1)) == classifiers
    assert network.only_for_identities() == list(network.classifiers)


def test_embeds_each_image_by_itself():
    guards.embeds_each_image_by_itself(small("bfe"))


def test_trunk_whose_channels_no_block_of_that_kind_keeps_has_a_shortcut():
    settings = Bfe.Settings(
        global_width=8, erasing_width=8, rectangle_height=0.33, rectangle_width=1.0, concatenate=False
    )
    trunk = TrunkSettings(name="timm:rexnet_100", pretrained=False, last_stride=1)
    with torch.device("meta"):
        network = Bfe(5, trunk, settings)
    assert network.trunk.channels[-1] == 185
    before, maxima = maps_of(network)
    network(torch.empty(2, 3, 64, 32, device="meta"))
    assert before[0].shape == (2, 184, 4, 2)
    assert maxima[0].shape == (2, 184)


@pytest.mark.parametrize("trunk", ["resnet50", "resnet10_half", "timm:tf_efficientnet_lite0"])
def test_extra_block_keeps_the_channels_of_other_trunks_without_a_convolution(trunk):
    settings = Bfe.Settings(
        global_width=8, erasing_width=8, rectangle_height=0.33, rectangle_width=1.0, concatenate=False
    )
    with torch.device("meta"):
        network = Bfe(5, TrunkSettings(name=trunk, pretrained=False, last_stride=1), settings)
    assert network.bottleneck.downsample is None
    assert network.bottleneck.bn3.num_features == network.trunk.channels[-1]
