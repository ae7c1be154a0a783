"""Trunks: one image to the feature maps C2, C3, C4, C5. A new trunk is one entry of `TRUNKS`.

All but `resnet10_half` are torchvision's, with its ImageNet weights. That one is small (one basic block per stage,
half of ResNet-18's channels) and trains from scratch on a CPU in minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Annotated, Any, Literal

import torch
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torchvision import models
from torchvision.models import MobileNetV2, ResNet, WeightsEnum
from torchvision.models.resnet import BasicBlock, conv1x1

from vireid.params import Positive, Section
from vireid.support.errors import UserError
from vireid.support.weights import load_weights


class Trunk(nn.Module):
    """A stem and four stages.

    Attributes:
        channels: Channels of C2, C3, C4 and C5.
    """

    def __init__(self, stem: nn.Module, stages: Sequence[nn.Module], channels: tuple[int, ...]):
        super().__init__()
        self.stem, self.stages, self.channels = stem, nn.ModuleList(stages), channels

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to maps of stride 4, 8, 16 and 32 (C5: 16 where the last stride is 1)."""
        return self.stem_and_maps(images)[1:]

    def stem_and_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the stem's output before the maps of the stages."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return tuple(maps)


@dataclass(frozen=True)
class TrunkKind:
    """How a trunk is made.

    Attributes:
        channels: Of C2, C3, C4 and C5.
        build: Makes the whole network with random weights.
        cut: Cuts the network into a stem and four stages.
        weights: ImageNet weights of the papers' time, not of a newer recipe; None where there are none.
    """

    channels: tuple[int, int, int, int]
    build: Callable[[], nn.Module]
    cut: Callable[[Any], list[nn.Module]]
    weights: WeightsEnum | None


def _cut_resnet(network: ResNet) -> list[nn.Module]:
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    return [stem, network.layer1, network.layer2, network.layer3, network.layer4]


def _cut_mobilenet_v2(network: MobileNetV2) -> list[nn.Module]:
    """Leave out the last 1x1 convolution, which belongs to the classifier's width."""
    return [network.features[start:stop] for start, stop in ((0, 2), (2, 4), (4, 7), (7, 14), (14, 18))]


_SMALL = (32, 64, 128, 256)
_BASIC = (64, 128, 256, 512)
_BOTTLENECK = (256, 512, 1024, 2048)

TRUNKS = {
    "resnet10_half": TrunkKind(_SMALL, lambda: _small_resnet(), list, None),
    "resnet18": TrunkKind(_BASIC, models.resnet18, _cut_resnet, models.ResNet18_Weights.IMAGENET1K_V1),
    "resnet34": TrunkKind(_BASIC, models.resnet34, _cut_resnet, models.ResNet34_Weights.IMAGENET1K_V1),
    "resnet50": TrunkKind(_BOTTLENECK, models.resnet50, _cut_resnet, models.ResNet50_Weights.IMAGENET1K_V1),
    "resnet101": TrunkKind(_BOTTLENECK, models.resnet101, _cut_resnet, models.ResNet101_Weights.IMAGENET1K_V1),
    "mobilenet_v2": TrunkKind(
        (24, 32, 96, 320), models.mobilenet_v2, _cut_mobilenet_v2, models.MobileNet_V2_Weights.IMAGENET1K_V1
    ),
}


def _require_known(name: str) -> str:
    if name not in TRUNKS:
        raise PydanticCustomError("trunk", "one of {names}", {"names": ", ".join(TRUNKS)})
    return name


class TrunkSettings(Section):
    """Which trunk, and where it starts from; the section `model.trunk` of a method.

    Attributes:
        name: One of `TRUNKS`.
        pretrained: Start from torchvision's ImageNet weights, otherwise from a random state.
        last_stride: Stride of the last stage, 2 as in ResNet or 1 to keep C4's resolution.
    """

    name: Annotated[str, AfterValidator(_require_known)]
    pretrained: bool
    last_stride: Literal[1, 2]


class SharedTrunkSettings(TrunkSettings):
    """A trunk that both spectra share from a stage on.

    Attributes:
        share_from: The first shared stage, 1 (only the stem is separate) to 5 (two whole trunks).
        lr_factor: Its learning rate as a part of that of everything else.
    """

    share_from: Literal[1, 2, 3, 4, 5]
    lr_factor: Positive


def build_trunk(settings: TrunkSettings) -> Trunk:
    """Build a trunk.

    Raises:
        UserError: If it is to be pretrained and the weights do not exist or cannot be had.
    """
    kind = TRUNKS[settings.name]
    if settings.pretrained and kind.weights is None:
        raise UserError(
            "model.trunk.pretrained",
            "no ImageNet weights exist for this trunk",
            expected=f"one of {', '.join(name for name, other in TRUNKS.items() if other.weights is not None)}",
            found=settings.name,
            remedy="set model.trunk.pretrained: false, or choose another model.trunk.name",
        )
    network = kind.build()
    if settings.pretrained and kind.weights is not None:
        _load_imagenet_weights(network, kind.weights)
    stem, *stages = kind.cut(network)
    if settings.last_stride == 1:
        _keep_resolution(stages[-1])
    return Trunk(stem, stages, kind.channels)


def _load_imagenet_weights(network: nn.Module, weights: WeightsEnum) -> None:
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    remedy = "copy the file there, or set model.trunk.pretrained: false to train from scratch"
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


def _keep_resolution(stage: nn.Module) -> None:
    """Set a stage's stride to 1; it sits in one convolution of the first block, and in the shortcut beside it."""
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def _small_resnet() -> nn.Sequential:
    first = _SMALL[0]
    stem = nn.Sequential(
        nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    stages = [_basic_stage(*sizes) for sizes in zip((first, *_SMALL[:-1]), _SMALL, (1, 2, 2, 2), strict=True)]
    network = nn.Sequential(stem, *stages)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):  # as torchvision's ResNet
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _basic_stage(inputs: int, channels: int, stride: int) -> nn.Module:
    shortcut = None
    if stride != 1 or inputs != channels:
        shortcut = nn.Sequential(conv1x1(inputs, channels, stride), nn.BatchNorm2d(channels))
    return BasicBlock(inputs, channels, stride, shortcut)
