"""One trunk for two modalities: rows keep their order, and separate layers see one modality. CPU, seconds."""

import pytest
import torch

from vireid.backbones.trunks import build_trunk
from vireid.backbones.two_stream import TwoStream, per_modality
from vireid.data.records import Modality

MODALITIES = [[0, 0, 1, 1], [1, 0, 1, 0, 0], [0, 0, 0], [1, 1], [1]]


def two_stream(share_from):
    torch.manual_seed(0)
    return TwoStream(build_trunk("resnet10_half", False, 1), share_from)


def images(count):
    return torch.randn(count, 3, 32, 16, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("modality", MODALITIES)
def test_rows_go_through_the_branch_of_their_modality_and_keep_their_order(modality):
    values, other = torch.arange(len(modality)).float(), torch.ones(len(modality), 2)
    branches = [lambda x, y: (x + 100, y), lambda x, y: (x + 200, 2 * y)]
    first, second = per_modality(branches, (values, other), torch.tensor(modality))
    assert first.tolist() == [row + 100 * (1 + m) for row, m in enumerate(modality)]
    assert second.tolist() == [[1.0 + m] * 2 for m in modality]


@pytest.mark.parametrize("modality", [[0, 0], [1, 1, 1]])
def test_branch_of_an_absent_modality_is_not_called(modality):
    def refuse(x):
        raise AssertionError

    branches = [refuse, refuse]
    branches[modality[0]] = lambda x: (x,)
    (found,) = per_modality(branches, (torch.ones(len(modality)),), torch.tensor(modality))
    assert len(found) == len(modality)


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_maps_do_not_depend_on_where_sharing_begins_at_the_start(share_from):
    trunk = build_trunk("resnet10_half", False, 1).eval()
    network = TwoStream(trunk, share_from).eval()
    pictures, modality = images(3), torch.tensor([1, 0, 1])
    with torch.inference_mode():
        expected, found = trunk(pictures), network(pictures, modality)
    assert network.channels == trunk.channels
    assert len(found) == 4
    for a, b in zip(expected, found, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_gradient_of_visible_images_does_not_touch_the_infrared_copy(share_from):
    network = two_stream(share_from)
    sum(level.square().mean() for level in network(images(2), torch.tensor([0, 0]))).backward()
    visible, infrared = network.separate
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in visible.parameters())
    assert all(p.grad is None or not p.grad.any() for p in infrared.parameters())
    assert all(p.grad is not None for p in network.shared.parameters())


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_statistics_of_visible_images_do_not_touch_the_infrared_copy(share_from):
    network = two_stream(share_from).train()
    before = {key: value.clone() for key, value in network.separate[Modality.INFRARED].state_dict().items()}
    network(images(2), torch.tensor([0, 0]))
    after = network.separate[Modality.INFRARED].state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_stages_are_separate_before_and_shared_from_the_given_one(share_from):
    network = two_stream(share_from)
    assert [len(branch.stages) for branch in network.separate] == [share_from - 1] * 2
    assert len(network.shared) == 5 - share_from
    parameters = [*network.parameters()]
    assert len({id(p) for p in parameters}) == len(parameters)
    pair = [dict(branch.named_parameters()) for branch in network.separate]
    assert all(torch.equal(pair[0][key], pair[1][key]) for key in pair[0])


def test_infrared_rows_see_the_infrared_copy():
    network = two_stream(2).eval()
    with torch.inference_mode():
        network.separate[Modality.INFRARED].stem[0].weight.zero_()
        pictures = images(1).expand(2, -1, -1, -1)
        last = network(pictures, torch.tensor([0, 1]))[-1]
    assert not torch.allclose(last[0], last[1])
