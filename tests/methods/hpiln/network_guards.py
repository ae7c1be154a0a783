"""What the tests of several networks ask of them."""

import torch
from torch import Tensor

from vireid.methods.hpiln.networks.base import ReidNetwork

SIZE = (64, 32)
CLASSIFIER = {"classifiers.0.weight", "classifiers.0.bias"}


def images(count: int, size: tuple[int, int] = SIZE) -> Tensor:
    """Random images."""
    return torch.randn(count, 3, *size)


def counted(network: ReidNetwork) -> tuple[int, int]:
    """Parameters without classifiers, and with them."""
    modules = (network, network.classifiers)
    total, classifiers = (sum(value.numel() for value in module.parameters()) for module in modules)
    return total - classifiers, total


def untaught(network: ReidNetwork, values: Tensor) -> set[str]:
    """Names of the parameters that values of an output have no gradient for, or none but zeros."""
    network.zero_grad()
    values.square().sum().backward()
    return {name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()}


def learns_wholly_and_only_the_classifier_from_identities_alone(network: ReidNetwork) -> None:
    """For networks with one classifier that takes what is compared."""
    assert untaught(network, network(images(4)).logits[0]) == set()
    assert untaught(network, network(images(4)).compared[0]) == CLASSIFIER
    assert network.only_for_identities() == list(network.classifiers)


def embeds_each_image_by_itself(network: ReidNetwork) -> None:
    """In eval mode, after the norms' averages have moved."""
    rows = images(4, network.takes_only or SIZE)
    with torch.inference_mode():
        network.train()(rows)
        network.eval()
        together, alone = network(rows).embedding, torch.cat([network(row[None]).embedding for row in rows])
    torch.testing.assert_close(together, alone)
    assert together.std(dim=0).max() > 1e-3


def explains_the_maps_of_the_trunk(network: ReidNetwork) -> None:
    """Each layer is called once, and what it returns is a stage's map."""
    rows, seen = images(2), []
    with torch.inference_mode():
        expected = network.eval().trunk(rows)
        layers = network.explained_layers()
        for name, layer in layers.items():
            layer.register_forward_hook(lambda _module, _inputs, result, name=name: seen.append((name, result)))
        network(rows)
    assert [name for name, _ in seen] == list(layers) == ["stage1", "stage2", "stage3", "stage4"]
    assert all(torch.equal(found, level) for (_, found), level in zip(seen, expected, strict=True))
