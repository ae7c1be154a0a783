"""One trunk for two modalities: rows keep their order, and separate layers see one modality. CPU, seconds."""

import pytest
import torch

from tests.made import built_trunk
from vireid.backbones.two_stream import TwoStream, per_modality
from vireid.data.records import Modality


def two_stream(share_from):
    torch.manual_seed(0)
    return TwoStream(built_trunk("resnet10_half", last_stride=1), share_from)


def different_copies(share_from):
    """Two copies of the separate layers that have learnt different things."""
    network = two_stream(share_from)
    with torch.no_grad():
        for parameter in network.separate[Modality.INFRARED].parameters():
            parameter.mul_(1.1)
    return network


def images(count):
    return torch.randn(count, 3, 32, 16, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize(("visible", "infrared"), [(2, 2), (3, 2), (1, 4), (3, 0), (0, 2), (0, 1)])
def test_rows_go_through_the_branch_of_their_modality_and_keep_their_order(visible, infrared):
    values = torch.arange(visible + infrared).float()
    branches = [lambda x: (x + 100, x.new_ones(len(x), 2)), lambda x: (x + 200, 2 * x.new_ones(len(x), 2))]
    first, second = per_modality(branches, values, visible)
    modality = [0] * visible + [1] * infrared
    assert first.tolist() == [row + 100 * (1 + m) for row, m in enumerate(modality)]
    assert second.tolist() == [[1.0 + m] * 2 for m in modality]


@pytest.mark.parametrize("present", Modality)
def test_branch_of_an_absent_modality_is_not_called(present):
    def refuse(x):
        raise AssertionError

    branches = [refuse, refuse]
    branches[present] = lambda x: (x,)
    (result,) = per_modality(branches, torch.ones(3), 3 if present is Modality.VISIBLE else 0)
    assert len(result) == 3


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_maps_do_not_depend_on_where_sharing_begins_at_the_start(share_from):
    trunk = built_trunk("resnet10_half", last_stride=1).eval()
    network = TwoStream(trunk, share_from).eval()
    pictures = images(3)
    with torch.inference_mode():
        expected, together = trunk(pictures), network(pictures, 1)
        apart = [network.maps_of(pictures, modality) for modality in Modality]
    assert network.channels == trunk.channels
    for maps in (together, *apart):
        assert len(maps) == 4
        for a, b in zip(expected, maps, strict=True):
            assert torch.allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_maps_of_one_modality_are_those_of_its_rows_in_a_mixed_batch(share_from):
    network = different_copies(share_from).eval()
    pictures = images(5)
    with torch.inference_mode():
        together = network(pictures, 2)
        for modality, rows in ((Modality.VISIBLE, slice(2)), (Modality.INFRARED, slice(2, None))):
            apart = network.maps_of(pictures[rows], modality)
            assert len(apart) == len(together) == 4
            for a, b in zip(together, apart, strict=True):
                assert torch.allclose(a[rows], b, atol=1e-5)


@pytest.mark.parametrize("modality", Modality)
@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_named_stages_are_those_that_make_the_maps_of_each_modality(share_from, modality):
    network, outputs = different_copies(share_from).eval(), []
    stages = network.stages(modality)
    for stage in stages.values():
        stage.register_forward_hook(lambda *call: outputs.append(call[-1]))
    maps = network.maps_of(images(1), modality)
    assert list(stages) == ["stage1", "stage2", "stage3", "stage4"]
    assert len(outputs) == len(maps) == 4
    assert all(torch.equal(a, b) for a, b in zip(outputs, maps, strict=True))
    visible, infrared = (network.stages(modality) for modality in Modality)
    shared = [name for name in visible if visible[name] is infrared[name]]
    assert shared == [f"stage{number}" for number in range(share_from, 5)]


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_gradient_of_visible_images_does_not_touch_the_infrared_copy(share_from):
    network = two_stream(share_from)
    sum(level.square().mean() for level in network(images(2), 2)).backward()
    visible, infrared = network.separate
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in visible.parameters())
    assert all(p.grad is None or not p.grad.any() for p in infrared.parameters())
    assert all(p.grad is not None for p in network.shared.parameters())


@pytest.mark.parametrize("share_from", [1, 2, 3, 4, 5])
def test_statistics_of_visible_images_do_not_touch_the_infrared_copy(share_from):
    network = two_stream(share_from).train()
    before = {key: value.clone() for key, value in network.separate[Modality.INFRARED].state_dict().items()}
    network(images(2), 2)
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
        last = network(pictures, 1)[-1]
    assert not torch.allclose(last[0], last[1])
