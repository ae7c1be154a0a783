"""Trunks: one image to the feature maps C2, C3, C4, C5. A new trunk is one entry of `TRUNKS`, or a name of timm.

All of `TRUNKS` but `resnet10_half` are torchvision's, with its ImageNet weights. That one is small (one basic
block per stage, half of ResNet-18's channels) and trains from scratch on a CPU in minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torchvision import models
from torchvision.models import DenseNet, MobileNetV2, ResNet, WeightsEnum
from torchvision.models.resnet import BasicBlock, conv1x1

from vireid.backbones import timm_trunks
from vireid.backbones.pretrained import Origin, load_own_weights, load_torchvision_weights
from vireid.backbones.strides import keep_resolution
from vireid.backbones.timm_trunks import PREFIX
from vireid.backbones.weight_files import require_hashed_file
from vireid.params import Positive, Section
from vireid.support.errors import UserError


class Trunk(nn.Module):
    """A stem and four stages.

    Attributes:
        channels: Channels of C2, C3, C4 and C5.
        origin: The pretrained weights that it started from, if any.
    """

    def __init__(
        self, stem: nn.Module, stages: Sequence[nn.Module], channels: tuple[int, ...], origin: Origin | None
    ):
        super().__init__()
        self.stem, self.stages, self.channels, self.origin = stem, nn.ModuleList(stages), channels, origin

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to maps of stride 4, 8, 16 and 32 (C5: 16 where the last stride is 1)."""
        return self.stem_and_maps(images)[1:]

    def stem_and_maps(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return the stem's output before the maps of the stages."""
        maps = [self.stem(images)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return tuple(maps)

    def named_stages(self) -> dict[str, nn.Module]:
        """Name the four stages."""
        return {f"stage{number}": stage for number, stage in enumerate(self.stages, start=1)}


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


def _cut_densenet(network: DenseNet) -> list[nn.Module]:
    """A stage begins with the transition that halves the map; the last one ends with norm and ReLU."""
    parts = network.features
    stem = nn.Sequential(parts.conv0, parts.norm0, parts.relu0, parts.pool0)
    return [
        stem,
        nn.Sequential(parts.denseblock1),
        nn.Sequential(parts.transition1, parts.denseblock2),
        nn.Sequential(parts.transition2, parts.denseblock3),
        nn.Sequential(parts.transition3, parts.denseblock4, parts.norm5, nn.ReLU()),
    ]


_SMALL = (32, 64, 128, 256)
_BASIC = (64, 128, 256, 512)
_BOTTLENECK = (256, 512, 1024, 2048)

TRUNKS = {
    "resnet10_half": TrunkKind(_SMALL, lambda: _small_resnet(), list, None),
    "resnet18": TrunkKind(_BASIC, models.resnet18, _cut_resnet, models.ResNet18_Weights.IMAGENET1K_V1),
    "resnet34": TrunkKind(_BASIC, models.resnet34, _cut_resnet, models.ResNet34_Weights.IMAGENET1K_V1),
    "resnet50": TrunkKind(_BOTTLENECK, models.resnet50, _cut_resnet, models.ResNet50_Weights.IMAGENET1K_V1),
    "resnet101": TrunkKind(_BOTTLENECK, models.resnet101, _cut_resnet, models.ResNet101_Weights.IMAGENET1K_V1),
    "densenet121": TrunkKind(
        (256, 512, 1024, 1024), models.densenet121, _cut_densenet, models.DenseNet121_Weights.IMAGENET1K_V1
    ),
    "mobilenet_v2": TrunkKind(
        (24, 32, 96, 320), models.mobilenet_v2, _cut_mobilenet_v2, models.MobileNet_V2_Weights.IMAGENET1K_V1
    ),
}


def _require_known(name: str) -> str:
    if name.startswith(PREFIX):
        timm_trunks.require_timm_network(name.removeprefix(PREFIX))
    elif name not in TRUNKS:
        names = ", ".join([*TRUNKS, f"{PREFIX}NAME"])
        raise PydanticCustomError("trunk", "one of {names}", {"names": names})
    return name


def require_last_stride_of_1(name: str) -> None:
    """Let a trunk pass whose last stage can keep the resolution.

    Raises:
        PydanticCustomError: If it cannot.
    """
    if name.startswith(PREFIX):
        reason = timm_trunks.why_not_a_trunk(name.removeprefix(PREFIX), last_stride=1)
        if reason is not None:
            raise PydanticCustomError(
                "trunk",
                "2, as the last stage of {name} cannot keep the resolution: {reason}",
                {"name": name, "reason": reason},
            )


class TrunkSettings(Section):
    """Which trunk, and where it starts from; the section `model.trunk` of a method.

    Attributes:
        name: One of `TRUNKS`, or `timm:` and the name of a network of timm that can be cut into stages.
        pretrained: Start from the trunk's own pretrained weights (true), from a random state (false), or from a
            file of the whole network's weights (`PATH#sha256=HASH`).
        last_stride: Stride of the last stage, 2 as in ResNet or 1 to keep C4's resolution.
    """

    name: Annotated[str, AfterValidator(_require_known)]
    pretrained: bool | Annotated[str, AfterValidator(require_hashed_file)]
    last_stride: Literal[1, 2]

    @field_validator("last_stride")
    @classmethod
    def _check_last_stride(cls, last_stride: int, info: ValidationInfo) -> int:
        if last_stride == 1:
            require_last_stride_of_1(info.data.get("name", ""))  # absent where it is itself wrong
        return last_stride


class TunedTrunkSettings(TrunkSettings):
    """A trunk with a learning rate of its own.

    Attributes:
        lr_factor: Its learning rate as a part of that of everything else.
    """

    lr_factor: Positive


class SharedTrunkSettings(TunedTrunkSettings):
    """A trunk that both spectra share from a stage on.

    Attributes:
        share_from: The first shared stage, 1 (only the stem is separate) to 5 (two whole trunks).
    """

    share_from: Literal[1, 2, 3, 4, 5]


def build_trunk(settings: TrunkSettings) -> Trunk:
    """Build a trunk.

    Raises:
        UserError: If it is to be pretrained and the weights do not exist, cannot be had or do not fit.
    """
    build = _timm_trunk if settings.name.startswith(PREFIX) else _torchvision_trunk
    trunk = build(settings)
    if settings.last_stride == 1:
        keep_resolution(trunk.stages[-1])
    return trunk


def _torchvision_trunk(settings: TrunkSettings) -> Trunk:
    kind = TRUNKS[settings.name]
    if settings.pretrained is True and kind.weights is None:
        raise UserError(
            "model.trunk.pretrained",
            "no ImageNet weights exist for this trunk",
            expected=f"one of {', '.join(name for name, other in TRUNKS.items() if other.weights is not None)}",
            found=settings.name,
            remedy="set model.trunk.pretrained: false, or choose another model.trunk.name",
        )
    network, origin = kind.build(), None
    if isinstance(settings.pretrained, str):
        origin = load_own_weights(network, settings.pretrained)
    elif settings.pretrained and kind.weights is not None:
        origin = load_torchvision_weights(network, kind.weights)
    stem, *stages = kind.cut(network)
    return Trunk(stem, stages, kind.channels, origin)


def _timm_trunk(settings: TrunkSettings) -> Trunk:
    name = settings.name.removeprefix(PREFIX)
    network, origin = timm_trunks.build_network(name, settings.pretrained)
    stem, *stages = timm_trunks.cut(network)
    before = timm_trunks.input_range(name)
    if before is not None:
        stem = nn.Sequential(before, stem)
    return Trunk(stem, stages, timm_trunks.channels_of(network), origin)


def blocks_of(stage: nn.Module) -> list[nn.Module]:
    """Take a stage apart into the blocks that follow each other in it."""
    if type(stage) is not nn.Sequential:
        return [stage]
    return [block for part in stage for block in blocks_of(part)]


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
