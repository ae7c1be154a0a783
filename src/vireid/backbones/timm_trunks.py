"""Networks of timm, cut into a stem and four stages by what timm says of their feature maps.

timm is imported where it is needed: it takes half a second.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from importlib import metadata
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from vireid.backbones.pretrained import (
    KEY,
    UNTRAINED,
    Origin,
    lite0_weights,
    load_by_name,
    load_in_order,
    load_own_weights,
)
from vireid.backbones.strides import keep_resolution
from vireid.data.augmentation import MEAN, STD
from vireid.support.errors import UserError
from vireid.support.files import sha256

PREFIX = "timm:"
REDUCTIONS = (4, 8, 16, 32)  # of C2, C3, C4 and C5

_LITE0 = "tf_efficientnet_lite0"  # without a tag: its weights come with a package
_PROBES = ((128, 64), (144, 72))  # also a size that is no multiple of the strides, as 288x144 is none
_SUGGESTED = 5


class InputRange(nn.Module):
    """From images normalised for torchvision's trunks to images normalised for another one.

    Args:
        mean: Of the other one's channels, in images from 0 to 1.
        std: Likewise.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]):
        super().__init__()
        from_mean, from_std, to_mean, to_std = (
            torch.tensor(x, dtype=torch.float64) for x in (MEAN, STD, mean, std)
        )
        self.register_buffer("scale", (from_std / to_std).float().view(1, 3, 1, 1))
        self.register_buffer("shift", ((from_mean - to_mean) / to_std).float().view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) float to the same."""
        return images * self.scale + self.shift


def require_timm_network(name: str) -> None:
    """Let a network's name pass, with or without the tag of its weights.

    Raises:
        PydanticCustomError: If timm has no such network, or it cannot be cut.
    """
    import timm

    known = {*timm.list_models(), *timm.list_models(include_tags=True)}
    if name not in known:
        close = get_close_matches(name, sorted(known), _SUGGESTED, cutoff=0.5)
        raise PydanticCustomError(
            "trunk",
            "{prefix}NAME with a name of timm{close}",
            {
                "prefix": PREFIX,
                "close": f", as {', '.join(close)}" if close else "; list them with timm.list_models()",
            },
        )
    reason = why_not_a_trunk(name, last_stride=2)
    if reason is not None:
        raise PydanticCustomError(
            "trunk",
            "a network of timm that can be cut into a stem and four stages, of strides 4, 8, 16 and 32: {reason}",
            {"reason": reason},
        )


@cache
def why_not_a_trunk(name: str, last_stride: int) -> str | None:
    """Say why a network of timm cannot be cut into a trunk; None where it can. No weights are made for this."""
    import timm
    from timm.models import EfficientNetFeatures, FeatureListNet, MobileNetV3Features

    try:
        with torch.device("meta"), torch.no_grad():
            network = timm.create_model(name).eval()
            reductions = [info["reduction"] for info in _features(network)]
            if not {*REDUCTIONS} <= {*reductions}:
                return f"its maps have strides {', '.join(map(str, dict.fromkeys(reductions)))}"
            features = timm.create_model(name, features_only=True, out_indices=tuple(_levels(network)))
            if not isinstance(features, FeatureListNet | EfficientNetFeatures | MobileNetV3Features):
                return "timm does not say that it is a chain of modules"
            stem, *stages = cut(network)
            if last_stride == 1:
                keep_resolution(stages[-1])
            for height, width in _PROBES:
                values = stem(torch.empty(1, 3, height, width))
                maps = [values := stage(values) for stage in stages]
                shapes = [tuple(level.shape[1:]) for level in maps]
                if not _fits(shapes, channels_of(network), height, width, last_stride):
                    return f"from {height}x{width} pixels its maps are {shapes}"
    except Exception as error:  # whatever a network raises that is cut where it cannot be, or fed another size
        return f"{type(error).__name__}: {error}"
    return None


def _fits(
    shapes: list[tuple[int, ...]], channels: tuple[int, ...], height: int, width: int, last_stride: int
) -> bool:
    """Whether maps (C, H, W) have their channels, and the image's size over their strides, rounded up or down."""
    sizes = [shape[1:] for shape in shapes]
    strides = (*REDUCTIONS[:-1], REDUCTIONS[-2] * last_stride)
    rounded = all(
        values // stride <= value <= -(-values // stride)
        for size, stride in zip(sizes, strides, strict=True)
        for value, values in zip(size, (height, width), strict=True)
    )
    return rounded and tuple(shape[0] for shape in shapes) == channels


def build_network(name: str, pretrained: bool | str) -> tuple[nn.Module, Origin | None]:
    """Build a whole network, classifier included.

    Args:
        name: One of timm's.
        pretrained: As `TrunkSettings.pretrained`.

    Raises:
        UserError: If its weights do not exist, cannot be had or do not fit.
    """
    import timm

    network, origin = timm.create_model(name), None
    if isinstance(pretrained, str):
        origin = load_own_weights(network, pretrained)
    elif pretrained and name == _LITE0:
        path, origin = lite0_weights()
        load_in_order(network, path)
    elif pretrained:
        path, origin = _hub_weights(name)
        load_by_name(network, path)
    return network, origin


def _hub_weights(name: str) -> tuple[Path, Origin]:
    """Fetch a network's weights from timm's hub, or find them in the hub's cache."""
    from huggingface_hub import hf_hub_download, hf_hub_url

    weights = _configuration(name)
    if not weights.hf_hub_id:
        raise UserError(
            KEY,
            "timm's hub has no weights for this trunk",
            expected="a network with weights, as timm.list_pretrained() lists them",
            found=f"{PREFIX}{name}",
            remedy=f"choose another model.trunk.name, or {UNTRAINED}",
        )
    file = weights.hf_hub_filename or "model.safetensors"
    try:
        path = Path(hf_hub_download(weights.hf_hub_id, file))
    except OSError as error:
        raise UserError(
            KEY,
            "the weights cannot be had from timm's hub",
            expected=f"a connection to {hf_hub_url(weights.hf_hub_id, file)}, or the file in the hub's cache",
            found=f"{type(error).__name__}: {error}",
            remedy=f"bring that file here and set {KEY}: PATH#sha256=HASH; or take model.trunk.name: "
            f"{PREFIX}{_LITE0}, whose weights need no download; or {UNTRAINED}",
        ) from error
    return path, Origin(weights.hf_hub_id, f"timm {metadata.version('timm')}", weights.license, sha256(path))


def input_range(name: str) -> InputRange | None:
    """Return what turns our images into those that a network's weights expect; None where they are the same."""
    weights = _configuration(name)
    return None if (weights.mean, weights.std) == (MEAN, STD) else InputRange(weights.mean, weights.std)


def _configuration(name: str) -> Any:
    """Timm's account of a network's weights."""
    from timm.models import get_pretrained_cfg

    return get_pretrained_cfg(name)


def cut(network: nn.Module) -> list[nn.Module]:
    """Cut a network into a stem and four stages, and leave out what comes after them.

    A stage ends with the module that timm names for its map. The first one begins with the sequence that this
    module is part of (as `blocks`), or with the module itself (as ResNet's `layer1`). What comes before is the
    stem; where that is nothing, the stem ends with the first map of half the image's size.
    """
    from timm.models import FeatureListNet

    levels = _levels(network)
    ends = [_features(network)[level]["module"] for level in levels]
    chain = FeatureListNet(network, tuple(levels), flatten_sequential=any("." in end for end in ends))
    names = list(chain)
    last = [names.index(end.replace(".", "_")) for end in ends]
    sequence = ends[0].partition(".")[0]
    begin = next(place for place, name in enumerate(names) if f"{name}_".startswith(f"{sequence}_"))
    if begin == 0:
        halves = next(info["module"] for info in _features(network) if info["reduction"] == REDUCTIONS[0] // 2)
        begin = names.index(halves.replace(".", "_")) + 1
    bounds = [0, begin, *(place + 1 for place in last)]
    modules = list(chain.values())
    return [nn.Sequential(*modules[start:stop]) for start, stop in pairwise(bounds)]


def channels_of(network: nn.Module) -> tuple[int, ...]:
    """Channels of C2, C3, C4 and C5."""
    return tuple(_features(network)[level]["num_chs"] for level in _levels(network))


def _levels(network: nn.Module) -> list[int]:
    """Places of the last map of each reduction in what timm says of the maps."""
    places = {info["reduction"]: place for place, info in enumerate(_features(network))}
    return [places[reduction] for reduction in REDUCTIONS]


def _features(network: nn.Module) -> list[dict[str, Any]]:
    return network.feature_info  # type: ignore[return-value]
