"""PCB: strips by hand, what dropout and the reduction do, and counts. CPU, seconds."""

import pytest
import torch
from torch.nn.functional import normalize

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.built import of_the_paper, small
from tests.methods.hpiln.network_guards import counted, images, untaught
from vireid.backbones.trunks import TrunkSettings
from vireid.methods.hpiln.networks.pcb import Pcb

ROWS = [(0, 1), (0, 2), (1, 2), (2, 3), (2, 4), (3, 4)]  # 4 rows in 6 strips


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def test_parameters_are_counted_by_hand():
    trunk, reduction = 23_508_032, 2048 * 256 + 2 * 256
    assert counted(of_the_paper("pcb")) == (trunk + reduction, trunk + reduction + 6 * (256 * 395 + 395))


def test_ranks_strips_of_length_one():
    network, rows = small("pcb").eval(), images(4)
    outputs = network(rows)
    maps = network.trunk(rows)[-1]
    assert maps.shape[2] == 4
    strips = [maps[:, :, top:bottom].mean(dim=(2, 3)) for top, bottom in ROWS]
    torch.testing.assert_close(outputs.embedding, torch.cat([normalize(strip) for strip in strips], dim=1))
    torch.testing.assert_close(outputs.embedding.norm(dim=1), torch.full((4,), 6**0.5))
    assert [id(vectors) for vectors in outputs.compared] == [id(outputs.embedding)]
    for strip, classify, logits in zip(strips, network.classifiers, outputs.logits, strict=True):
        torch.testing.assert_close(logits, classify(network.reduction(strip[..., None, None]).flatten(1)))


def test_compares_and_classifies_what_dropout_leaves():
    network, rows, dropped, reduced = small("pcb", dropout=0.5), images(4), [], []
    network.dropout.register_forward_hook(lambda _module, _inputs, result: dropped.append(result))
    network.reduction.register_forward_hook(lambda _module, inputs, _result: reduced.append(inputs[0]))
    compared, kept = network(rows).compared[0], network.eval()(rows).compared[0]
    assert (compared == 0).float().mean() > (kept == 0).float().mean() + 0.3  # ReLU leaves zeros, too
    torch.testing.assert_close(compared, normalize(dropped[0], dim=2).flatten(1))
    torch.testing.assert_close(compared.unflatten(1, (6, -1)).norm(dim=2), torch.ones(4, 6))
    assert torch.equal(reduced[0][..., 0].mT, dropped[0])


def test_reduction_learns_from_the_classifiers_only():
    network = small("pcb")
    alone = network.only_for_identities()
    assert {id(module) for module in alone} == {id(m) for m in (network.reduction, *network.classifiers)}
    assert untaught(network, torch.cat(network(images(4)).logits)) == set()
    ids = {id(p) for module in alone for p in module.parameters()}
    assert untaught(network, network(images(4)).compared[0].cos()) == {
        name for name, p in network.named_parameters() if id(p) in ids
    }


def test_embeds_each_image_by_itself():
    guards.embeds_each_image_by_itself(small("pcb"))


def test_explains_the_maps_of_the_trunk():
    guards.explains_the_maps_of_the_trunk(small("pcb"))


@pytest.mark.parametrize("trunk", ["timm:tf_efficientnet_lite0", "timm:rexnet_100"])
def test_stands_on_other_trunks(trunk):
    settings = TrunkSettings(name=trunk, pretrained=False, last_stride=1)
    with torch.device("meta"):
        network = Pcb(5, settings, Pcb.Settings(parts=3, width=16, dropout=0.5))
        outputs = network(torch.empty(2, 3, 64, 32))
    assert network.embedding_dim == 3 * network.trunk.channels[-1]
    assert outputs.embedding.shape == (2, network.embedding_dim)
    assert [tuple(logits.shape) for logits in outputs.logits] == [(2, 5)] * 3
