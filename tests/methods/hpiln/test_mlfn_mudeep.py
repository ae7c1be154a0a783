"""MLFN and MuDeep: their parts by hand. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, relu

from tests.methods.hpiln.built import small
from vireid.methods.hpiln.networks.mlfn import GROUPS
from vireid.support.errors import UserError


def random_images(height, width, count=2):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def test_a_block_of_mlfn_weighs_its_groups():
    block = small("mlfn", width_factor=0.5).eval().blocks[3]  # widens and halves
    maps = relu(random_images(8, 4)[:, :1].expand(-1, 128, -1, -1)) * torch.linspace(0.5, 2, 128)[:, None, None]
    weights = block.fsm(maps.mean(dim=(2, 3), keepdim=True))
    assert weights.shape == (2, GROUPS, 1, 1)
    assert ((weights > 0) & (weights < 1)).all()
    middle = relu(block.fm_bn2(block.fm_conv2(relu(block.fm_bn1(block.fm_conv1(maps))))))
    size = middle.shape[1] // GROUPS
    assert size > 1
    for group in range(GROUPS):
        middle[:, group * size : (group + 1) * size] *= weights[:, group, None]
    expected = relu(relu(block.fm_bn3(block.fm_conv3(middle))) + block.downsample(maps))
    found, found_weights = block(maps)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(found_weights, weights)


def test_mlfn_embeds_the_mean_of_what_is_seen_and_what_is_chosen():
    network, chosen = small("mlfn").eval(), []
    assert len(network.blocks) == 16
    for block in network.blocks:
        block.fsm.register_forward_hook(lambda _module, _inputs, result: chosen.append(result))
    images = random_images(64, 32)
    outputs = network(images)
    maps = network.maxpool(relu(network.bn1(network.conv1(images))))
    for block in network.blocks:
        maps, _ = block(maps)
    seen = network.fc_x(maps.mean(dim=(2, 3), keepdim=True)).flatten(1)
    factors = network.fc_s(torch.cat(chosen[:16], dim=1)).flatten(1)
    torch.testing.assert_close(outputs.embedding, (seen + factors) / 2)
    torch.testing.assert_close(outputs.logits[0], network.classifiers[0](outputs.embedding))


@pytest.mark.parametrize("factor", [0.2, 0.3])
def test_width_of_mlfn_must_leave_its_groups(factor):
    with pytest.raises(UserError, match=r"0\.25"):
        small("mlfn", width_factor=factor)


def test_mudeep_weighs_and_adds_its_streams():
    network = small("mudeep").eval()
    fusion = network.block5
    weights = [fusion.a1, fusion.a2, fusion.a3, fusion.a4]
    assert all(((weight >= 0) & (weight <= 1)).all() for weight in weights)
    assert len({weight.sum().item() for weight in weights}) == 4
    images = random_images(256, 128)
    maps = network.block3(network.block2(network.block1(images)))
    assert maps.shape[2:] == (64, 32)
    streams = [getattr(network.block4, f"stream{number}")(maps) for number in (1, 2, 3, 4)]
    summed = sum(weight * stream for weight, stream in zip(weights, streams, strict=True))
    outputs = network(images)
    torch.testing.assert_close(outputs.embedding, network.fc(avg_pool2d(summed, 4).flatten(1)))
    torch.testing.assert_close(outputs.logits[0], network.classifiers[0](outputs.embedding))


def test_mlfn_and_mudeep_start_by_hes_rule():
    for name in ("mlfn", "mudeep"):
        network = small(name)
        assert all(
            not module.bias.any() for module in network.modules() if getattr(module, "bias", None) is not None
        )
    conv = small("mudeep", width_factor=1 / 4).block4.stream3.conv
    assert conv.weight.std().item() == pytest.approx((2 / conv.out_channels) ** 0.5, rel=0.1)
    assert small("mlfn", num_pids=50).classifiers[0].weight.std().item() == pytest.approx(0.01, rel=0.05)
