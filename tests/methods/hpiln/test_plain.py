"""ResNet-50 and DenseNet-121 with mean pooling and a classifier, against torchvision's own. CPU, seconds."""

import pytest
import torch
from torch import nn
from torchvision.models import densenet121, resnet50

from tests.methods.hpiln import network_guards as guards
from tests.methods.hpiln.network_guards import counted, images
from vireid.backbones.trunks import TrunkSettings
from vireid.methods.hpiln.networks.plain import Plain
from vireid.methods.hpiln.weights import load_network_weights
from vireid.support.files import sha256

PIDS = 5
SMALL = ["resnet10_half", "mobilenet_v2", "timm:tf_efficientnet_lite0"]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def built(trunk="resnet10_half", num_pids=PIDS):
    return Plain(num_pids, TrunkSettings(name=trunk, pretrained=False, last_stride=2))


@pytest.mark.parametrize(
    ("trunk", "bare", "whole", "width"),
    [("resnet50", 23_508_032, 24_317_387, 2048), ("densenet121", 6_953_856, 7_358_731, 1024)],
)
def test_papers_networks_have_their_parameters_and_widths(trunk, bare, whole, width):
    with torch.device("meta"):
        network = built(trunk, 395).eval()
        outputs = network(torch.empty(2, 3, *Plain.paper_size))
    assert counted(network) == (bare, whole)
    assert (network.embedding_dim, network.compared_dims) == (width, (width,))
    assert Plain.paper_size == (224, 224)
    assert outputs.embedding.shape == (2, width)
    assert [tuple(logits.shape) for logits in outputs.logits] == [(2, 395)]


@pytest.mark.parametrize(("trunk", "source"), [("resnet50", resnet50), ("densenet121", densenet121)])
def test_weights_by_torchreids_names_make_it_torchvisions_network(tmp_path, trunk, source):
    theirs = source(num_classes=PIDS)
    for module in theirs.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.bias, module.running_mean, module.running_var):
                nn.init.uniform_(values, 0.5, 1)
    # torchreid's names are torchvision's, but for ResNet's classifier.
    state = {name.replace("fc.", "classifier."): value for name, value in theirs.state_dict().items()}
    path = tmp_path / "theirs.pth"
    torch.save(state, path)
    network = built(trunk)
    load_network_weights(network, f"{path}#sha256={sha256(path)}")
    assert len(network.state_dict()) == len(state)
    rows = images(2)
    with torch.inference_mode():
        torch.testing.assert_close(network.eval()(rows).logits[0], theirs.eval()(rows), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("trunk", SMALL)
def test_embedded_compared_and_classified_is_the_mean_of_the_last_map(trunk):
    network, rows = built(trunk).eval(), images(2)
    classify = network.classifiers[0]
    with torch.inference_mode():
        outputs, maps = network(rows), network.trunk.stem(rows)
        for stage in network.trunk.stages:
            maps = stage(maps)
        height, width = maps.shape[2:]
        places = [maps[:, :, y, x] for y in range(height) for x in range(width)]
        expected = sum(places) / (height * width)
        assert len(places) == 2
        torch.testing.assert_close(outputs.embedding, expected)
        torch.testing.assert_close(outputs.logits, [expected @ classify.weight.T + classify.bias])
    assert [vectors is outputs.embedding for vectors in outputs.compared] == [True]
    assert outputs.embedding.shape == (2, network.embedding_dim) == (2, *network.compared_dims)


@pytest.mark.parametrize("trunk", [*SMALL, "densenet121"])
def test_every_parameter_learns_and_only_the_classifier_from_identities_alone(trunk):
    guards.learns_wholly_and_only_the_classifier_from_identities_alone(built(trunk))


@pytest.mark.parametrize("trunk", ["resnet10_half", "densenet121"])
def test_evaluated_embedding_does_not_depend_on_batch_mates(trunk):
    guards.embeds_each_image_by_itself(built(trunk))


@pytest.mark.parametrize("trunk", [*SMALL, "densenet121"])
def test_explained_are_the_maps_of_the_four_stages(trunk):
    guards.explains_the_maps_of_the_trunk(built(trunk))
