"""The nine networks at the paper's size: parameters, widths, maps, recipes and torchreid's names. CPU, seconds."""

from collections.abc import Iterator

import pytest
import torch
from torchvision.models import densenet121, resnet50

from tests.made import recipe_of
from tests.methods.hpiln.built import NETWORKS, of_the_paper
from vireid.methods import check_recipe
from vireid.methods.hpiln.weights import _translated
from vireid.params import Params
from vireid.support.errors import UserError

# Name -> parameters without and with classifiers for 395 identities, width of the embedding, of what is compared.
COUNTED = {
    "resnet50": (23_508_032, 24_317_387, 2048, (2048,)),
    "res_mid": (27_705_408, 28_919_243, 3072, (3072,)),
    "pcb": (24_032_832, 24_641_922, 12288, (12288,)),
    "mgn": (68_807_744, 69_619_864, 2048, (2048,)),
    "bfe": (31_120_960, 31_728_470, 1024, (512, 1024)),
    "mlfn": (32_473_024, 32_877_899, 1024, (1024,)),
    "hacnn": (2_929_112, 3_334_382, 1024, (512, 512)),
    "mudeep": (134_940_304, 136_558_619, 4096, (4096,)),
    "densenet121": (6_953_856, 7_358_731, 1024, (1024,)),
}
CLASSIFIERS = dict.fromkeys(NETWORKS, 1) | {"pcb": 6, "mgn": 8, "bfe": 2, "hacnn": 2}
LAST_MAPS = {
    "resnet50": (2048, 7, 7),
    "res_mid": (2048, 7, 7),
    "pcb": (2048, 14, 14),
    "bfe": (2048, 16, 8),
    "mlfn": (2048, 7, 7),
    "hacnn": (384, 10, 4),
    "mudeep": (256, 16, 8),
    "densenet121": (1024, 7, 7),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_and_widths_are_those_of_the_specification(name):
    network = of_the_paper(name)
    total = sum(p.numel() for p in network.parameters())
    classifiers = sum(p.numel() for p in network.classifiers.parameters())
    assert (total - classifiers, total, network.embedding_dim, network.compared_dims) == COUNTED[name]
    assert len(network.classifiers) == CLASSIFIERS[name]
    outputs = network.eval()(torch.empty(2, 3, *network.paper_size, device="meta"))
    assert outputs.embedding.shape == (2, network.embedding_dim)
    assert tuple(vectors.shape[1] for vectors in outputs.compared) == network.compared_dims
    assert [tuple(logits.shape) for logits in outputs.logits] == [(2, 395)] * CLASSIFIERS[name]


@pytest.mark.parametrize("name", LAST_MAPS)
def test_last_explained_map_is_that_of_the_specification(name):
    network, shapes = of_the_paper(name).eval(), []
    *_, layer = network.explained_layers().values()
    if name == "bfe":  # the erasing branch comes last
        layer = network.explained_layers()["stage4"]
    layer.register_forward_hook(lambda _module, _inputs, result: shapes.append(result))
    network(torch.empty(2, 3, *network.paper_size, device="meta"))
    assert [tuple(maps.shape[1:]) for maps in shapes] == [LAST_MAPS[name]]


def test_branches_of_mgn_have_the_maps_of_the_specification():
    network, sizes = of_the_paper("mgn").eval(), {}
    for name, branch in network.branches.items():
        branch.register_forward_hook(lambda _m, _i, result, name=name: sizes.update({name: result.shape[1:]}))
    network(torch.empty(1, 3, 384, 128, device="meta"))
    assert sizes == {"whole": (2048, 12, 4), "halves": (2048, 24, 8), "thirds": (2048, 24, 8)}


@pytest.mark.parametrize("name", NETWORKS)
def test_recipe_is_table_1(name):
    recipe = recipe_of(f"hpiln_{name}", "paper")
    train = recipe["train"]
    assert (recipe["ingest"]["height"], recipe["ingest"]["width"]) == of_the_paper(name).paper_size
    assert train["epochs"] * train["steps_per_epoch"] == 10_000
    assert (train["num_pids"], train["num_instances"]) == (8, 4)
    expected = {"optimizer": "adam", "lr": 3e-4, "weight_decay": 5e-4, "warmup_epochs": 0, "schedule": "step"}
    expected |= {"gamma": 1.0, "clip_norm": 0.0, "holdout_pids": 0}
    assert {key: train[key] for key in expected} == expected
    assert train["augmentation"] == {
        "pad": 0,
        "flip": 0.5,
        "erase": 0.0,
        "channel_mix": 0.0,
        "signed_mix": False,
        "zoom": 0.5,
        "channel_exchange": 0.0,
    }
    assert recipe["model"]["trunk"]["pretrained"] is True
    assert recipe["model"]["trunk"]["last_stride"] == (1 if name in ("pcb", "bfe") else 2)
    expected_trunk = "densenet121" if name == "densenet121" else "resnet50"
    assert recipe["model"]["trunk"]["name"] == expected_trunk
    assert recipe["loss"] == {"kind": "hpi", "margin": 0.3, "centre_weight": 0.003, "centre_rate": 0.5}
    assert recipe["extract"]["flip"] is False


@pytest.mark.parametrize(("name", "size"), [("hacnn", (160, 64)), ("mudeep", (256, 128))])
def test_network_of_one_size_refuses_others_before_training(name, size):
    recipe = recipe_of(f"hpiln_{name}")
    check_recipe(Params.model_validate(recipe))
    assert (recipe["ingest"]["height"], recipe["ingest"]["width"]) == size
    recipe["ingest"]["height"] += 32
    with pytest.raises(UserError, match="images of one size only") as error:
        check_recipe(Params.model_validate(recipe))
    assert error.value.expected == f"height: {size[0]}, width: {size[1]}"
    assert f"hpiln_{name}" in error.value.remedy


def test_other_networks_take_any_size():
    recipe = recipe_of("hpiln_mlfn")
    recipe["ingest"]["height"] = 96
    check_recipe(Params.model_validate(recipe))


def bn(prefix: str) -> Iterator[str]:
    yield from (f"{prefix}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
    yield f"{prefix}.num_batches_tracked"


def block(prefix: str) -> Iterator[str]:
    """A convolution with bias, then a norm, as HACNN and MuDeep have them there."""
    yield from (f"{prefix}.conv.weight", f"{prefix}.conv.bias")
    yield from bn(f"{prefix}.bn")


def linear(prefix: str) -> Iterator[str]:
    yield from (f"{prefix}.weight", f"{prefix}.bias")


def blocks(prefix: str, streams: dict[int, list[int] | None]) -> Iterator[str]:
    """Streams by number: one block, or blocks at places of a sequence."""
    for number, places in streams.items():
        if places is None:
            yield from block(f"{prefix}.stream{number}")
        for place in places or ():
            yield from block(f"{prefix}.stream{number}.{place}")


def resnet_names() -> list[str]:
    with torch.device("meta"):
        return [name for name in resnet50().state_dict() if not name.startswith("fc.")]


def mlfn_names() -> Iterator[str]:
    yield from (*linear("conv1"), *bn("bn1"))
    starts = {0, 3, 7, 13}
    for number in range(16):
        feature = f"feature.{number}"
        for layer in (1, 2, 3):
            yield f"{feature}.fm_conv{layer}.weight"
            yield from bn(f"{feature}.fm_bn{layer}")
        for place in (1, 4, 7):
            yield from (*linear(f"{feature}.fsm.{place}"), *bn(f"{feature}.fsm.{place + 1}"))
        if number in starts:
            yield f"{feature}.downsample.0.weight"
            yield from bn(f"{feature}.downsample.1")
    for name in ("fc_x", "fc_s"):
        yield f"{name}.0.weight"
        yield from bn(f"{name}.1")
    yield from linear("classifier")


def hacnn_names() -> Iterator[str]:
    yield from block("conv")
    narrow = {1: [0, 1], 2: [0, 1], 3: [0, 1], 4: [1]}
    halving = {1: [0, 1], 2: [0, 1, 2], 3: [1]}
    for stage in (1, 2, 3):
        yield from (*blocks(f"inception{stage}.0", narrow), *blocks(f"inception{stage}.1", halving))
        yield from blocks(f"local_conv{stage}", halving)
        for kind in ("spatial", "channel"):
            for layer in (1, 2):
                yield from block(f"ha{stage}.soft_attn.{kind}_attn.conv{layer}")
        yield from (*block(f"ha{stage}.soft_attn.conv"), *linear(f"ha{stage}.hard_attn.fc"))
    for branch in ("global", "local"):
        yield from (*linear(f"fc_{branch}.0"), *bn(f"fc_{branch}.1"), *linear(f"classifier_{branch}"))


def mudeep_names() -> Iterator[str]:
    yield from (*block("block1.conv1"), *block("block1.conv2"))
    yield from blocks("block2", {1: [0, 1], 2: [1], 3: None, 4: [0, 1, 2]})
    yield from blocks("block3", {2: None, 3: [0, 1, 2]})
    yield from blocks("block4", {1: [1], 2: [0, 1, 2], 3: None, 4: [0, 1, 2, 3, 4]})
    yield from (f"block5.a{number}" for number in (1, 2, 3, 4))
    yield from (*linear("fc.0"), *bn("fc.1"), *linear("classifier"))


def torchreid_names(name: str) -> list[str]:
    """Names of a network's weights in torchreid, from its structure."""
    if name in ("mlfn", "hacnn", "mudeep"):
        return list({"mlfn": mlfn_names, "hacnn": hacnn_names, "mudeep": mudeep_names}[name]())
    if name == "densenet121":
        with torch.device("meta"):
            return list(densenet121().state_dict())
    heads = {
        "resnet50": linear("classifier"),
        "res_mid": (*linear("fc_fusion.0"), *bn("fc_fusion.1"), *linear("classifier")),
        "pcb": (
            "conv5.layers.0.weight",
            *bn("conv5.layers.1"),
            *(name for part in range(6) for name in linear(f"classifier.{part}")),
        ),
    }
    return [*resnet_names(), *heads[name]]


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("mgn", "bfe")])
def test_torchreids_names_are_ours_one_by_one(name):
    network, theirs = of_the_paper(name), torchreid_names(name)
    ours = [_translated(key, network.key_map) for key in theirs]
    assert len(set(theirs)) == len(theirs)
    assert sorted(ours) == sorted(network.state_dict())


@pytest.mark.parametrize("name", ["mgn", "bfe"])
def test_networks_that_torchreid_lacks_have_no_map(name):
    assert of_the_paper(name).key_map is None
