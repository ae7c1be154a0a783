"""HACNN: counts and maps by hand, and the whole network by torch's own sampling. CPU, seconds."""

import pytest
import torch

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.built import of_the_paper, small
from tests.methods.hpiln.network_guards import counted, images, untaught
from tests.reference.hacnn import PlainHacnn
from vireid.methods.hpiln.weights import _translated
from vireid.support.errors import UserError

SIZE = (160, 64)
FIRST_ROWS = (-0.75, -0.25, 0.25, 0.75)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def lived_in(network):
    """The network with norms and regions as training leaves them: none is at its start."""
    for attention in network.attentions:
        torch.nn.init.normal_(attention.hard.fc.weight, std=0.5)
    for module in network.modules():
        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.3)
            module.momentum = 1.0  # what is seen next is what is known
    with torch.no_grad():
        network.train()(images(8, SIZE))
    return network.eval()


def test_is_what_its_weights_by_torchreids_names_say():
    network, rows = lived_in(small("hacnn")), images(4, SIZE)
    with torch.no_grad():
        outputs = network(rows)
        vectors, logits, middles = PlainHacnn(network, lambda name: _translated(name, network.key_map))(rows)
    assert all(vector.std(dim=0).max() > 1 for vector in vectors)  # images differ,
    assert all(stage.std(dim=0).max() > 0.1 for stage in middles)  # and where their regions are
    torch.testing.assert_close(outputs.compared, vectors, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(outputs.logits, logits, rtol=1e-4, atol=1e-4)
    expected = torch.cat([vector / vector.norm(dim=1, keepdim=True) for vector in vectors], dim=1)
    torch.testing.assert_close(outputs.embedding, expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(outputs.embedding.norm(dim=1), torch.full((4,), 2**0.5))


def block_of(inputs, outputs, kernel=1):
    """Parameters of a convolution with bias and its norm."""
    return inputs * outputs * kernel**2 + 3 * outputs


def halving_of(inputs, outputs):
    """Parameters of an inception unit that halves the map."""
    quarter = outputs // 4
    return 2 * block_of(inputs, quarter) + 3 * block_of(quarter, quarter, 3) + block_of(inputs, 2 * quarter)


@pytest.mark.parametrize(("scale", "dim"), [(4, 512), (1, 128)])
def test_parameters_are_counted_by_hand(scale, dim):
    widths = [scale * width for width in (32, 64, 96)]
    expected = block_of(3, 32, 3)
    for inputs, width in zip((32, *widths[:2]), widths, strict=True):
        quarter, between = width // 4, width // 16
        expected += 4 * block_of(inputs, quarter) + 3 * block_of(quarter, quarter, 3)
        expected += halving_of(width, width) + halving_of(inputs, width)  # global and local
        expected += block_of(1, 1, 3) + block_of(1, 1)
        expected += block_of(width, between) + block_of(between, width) + block_of(width, width)
        expected += width * 8 + 8
    expected += sum(inputs * dim + 3 * dim for inputs in (widths[2], 4 * widths[2]))
    network = of_the_paper("hacnn") if scale == 4 else small("hacnn", 395, widths=widths, feature_dim=dim)
    assert counted(network) == (expected, expected + 2 * (dim * 395 + 395))


def test_maps_have_the_sizes_of_the_specification():
    network, sizes = of_the_paper("hacnn").eval(), {}

    def noted(name):
        return lambda _module, inputs, result: sizes.setdefault(name, []).append(
            (tuple(inputs[0].shape[1:]), tuple(result.shape[1:]))
        )

    for stage in range(3):
        network.inceptions[stage].register_forward_hook(noted(f"global {stage}"))
        network.local_convs[stage].register_forward_hook(noted(f"local {stage}"))
    outputs = network(torch.empty(2, 3, *SIZE, device="meta"))
    assert sizes == {
        "global 0": [((32, 80, 32), (128, 40, 16))],
        "local 0": [((32, 24, 28), (128, 12, 14))] * 4,
        "global 1": [((128, 40, 16), (256, 20, 8))],
        "local 1": [((128, 12, 14), (256, 6, 7))] * 4,
        "global 2": [((256, 20, 8), (384, 10, 4))],
        "local 2": [((256, 6, 7), (384, 3, 4))] * 4,
    }
    assert [tuple(vectors.shape) for vectors in outputs.compared] == [(2, 512), (2, 512)]
    assert outputs.embedding.shape == (2, 1024)
    assert network.takes_only == network.paper_size == SIZE
    assert list(network.explained_layers().values()) == list(network.inceptions)


def test_regions_start_one_below_the_other_and_do_not_depend_on_the_image():
    expected = torch.tensor([(0.0, row) for row in FIRST_ROWS])
    for attention in small("hacnn").attentions:
        fc = attention.hard.fc
        assert not fc.weight.any()
        assert torch.equal(fc.bias.view(4, 2), expected)
        middles = attention.hard(torch.randn(2, fc.in_features, 4, 2))
        torch.testing.assert_close(middles, expected.tanh().expand(2, 4, 2))


def test_places_of_regions_are_not_rounded_by_mixed_precision():
    hard = lived_in(small("hacnn")).attentions[0].hard
    maps = torch.randn(4, hard.fc.in_features, 40, 16)
    expected = hard.fc(maps.mean(dim=(2, 3))).tanh().view(4, 4, 2)
    with torch.autocast("cpu", torch.bfloat16):
        middles = hard(maps)
        rounded = hard.fc(maps.mean(dim=(2, 3))).float().tanh().view(4, 4, 2)
        assert hard(maps.bfloat16()).dtype == torch.float32
    torch.testing.assert_close(middles, expected, rtol=1e-5, atol=1e-6)
    assert (rounded - expected).abs().max() > 5e-4


def test_learns_wholly_and_only_the_classifiers_from_identities_alone():
    # In eval mode: a norm that learns from the batch would take away what a convolution's bias adds.
    network, rows = lived_in(small("hacnn")), images(4, SIZE)
    assert untaught(network, torch.cat(network(rows).logits)) == set()
    classifiers = {f"classifiers.{number}.{part}" for number in range(2) for part in ("weight", "bias")}
    assert untaught(network, torch.cat(network(rows).compared, dim=1)) == classifiers
    assert network.only_for_identities() == list(network.classifiers)


def test_each_branch_has_a_classifier_of_its_own():
    network, rows = small("hacnn"), images(4, SIZE)
    for branch, other in (0, 1), (1, 0):
        names = untaught(network, network(rows).logits[branch])
        assert {name for name in names if name.startswith("classifiers.")} == {
            f"classifiers.{other}.{part}" for part in ("weight", "bias")
        }
        assert all(name.startswith(("fc_global", "fc_local")[other]) for name in names if name.startswith("fc_"))


def test_embeds_each_image_by_itself():
    guards.embeds_each_image_by_itself(small("hacnn"))


@pytest.mark.parametrize(
    "changes",
    [{"widths": [16, 18, 32]}, {"widths": [16, 12, 32]}, {"widths": [16, 32]}, {"feature_dim": 0}],
    ids=["no multiple of four", "nothing left between", "two stages", "no vector"],
)
def test_settings_that_cannot_be_built_are_refused(changes):
    with pytest.raises(UserError, match="hacnn"):
        small("hacnn", **changes)
