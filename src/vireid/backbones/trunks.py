"""Residual trunks: one image to the feature maps C2, C3, C4, C5.

All are torchvision's blocks; `resnet10_half` is a small trunk (one basic block per stage, half of ResNet-18's
channels) that trains from scratch on a CPU in minutes.
"""

from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torchvision.models import ResNet18_Weights, ResNet50_Weights, WeightsEnum, resnet18, resnet50
from torchvision.models.resnet import BasicBlock, conv1x1

from vireid.support.errors import UserError
from vireid.support.weights import load_weights

# The weights of the papers' time, not torchvision's newer recipe.
IMAGENET_WEIGHTS: dict[str, WeightsEnum] = {
    "resnet18": ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": ResNet50_Weights.IMAGENET1K_V1,
}
_RESNETS: dict[str, Callable[..., nn.Module]] = {"resnet18": resnet18, "resnet50": resnet50}
_CHANNELS = {
    "resnet10_half": (32, 64, 128, 256),
    "resnet18": (64, 128, 256, 512),
    "resnet50": (256, 512, 1024, 2048),
}


class Trunk(nn.Module):
    """A stem and four stages.

    Attributes:
        channels: Channels of C2, C3, C4 and C5.
    """

    def __init__(self, stem: nn.Module, stages: list[nn.Module], channels: tuple[int, ...]):
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


def build_trunk(name: str, pretrained: bool, last_stride: int) -> Trunk:
    """Build a trunk by name.

    Args:
        name: `resnet10_half`, `resnet18` or `resnet50`.
        pretrained: Start from torchvision's ImageNet weights, otherwise from a random state.
        last_stride: Stride of the last stage, 2 as in ResNet or 1 to keep C4's resolution.

    Raises:
        UserError: If `pretrained` and the weights do not exist or cannot be had.
    """
    if name == "resnet10_half":
        if pretrained:
            raise UserError(
                "model.pretrained",
                "no ImageNet weights exist for this trunk",
                expected=f"one of {', '.join(_RESNETS)}",
                found=name,
                remedy="set model.pretrained: false, or choose another model.backbone",
            )
        return _small_trunk(last_stride)
    network = _RESNETS[name](weights=None)
    if pretrained:
        _load_imagenet_weights(network, name)
    stem = nn.Sequential(network.conv1, network.bn1, network.relu, network.maxpool)
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    if last_stride == 1:
        _keep_resolution(stages[-1][0])
    return Trunk(stem, stages, _CHANNELS[name])


def _load_imagenet_weights(network: nn.Module, name: str) -> None:
    weights = IMAGENET_WEIGHTS[name]
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    remedy = "copy the file there, or set model.pretrained: false to train from scratch"
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


def _keep_resolution(block: nn.Module) -> None:
    """Set a residual block's stride to 1; the stride sits in the 3x3 convolution and in the shortcut."""
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)


def _small_trunk(last_stride: int) -> Trunk:
    widths = _CHANNELS["resnet10_half"]
    first = widths[0]
    stem = nn.Sequential(
        nn.Conv2d(3, first, 7, stride=2, padding=3, bias=False),
        nn.BatchNorm2d(first),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2, padding=1),
    )
    strides = (1, 2, 2, last_stride)
    stages = [_basic_stage(*sizes) for sizes in zip((first, *widths[:-1]), widths, strides, strict=True)]
    trunk = Trunk(stem, stages, widths)
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):  # as torchvision's ResNet
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return trunk


def _basic_stage(inputs: int, channels: int, stride: int) -> nn.Module:
    shortcut = None
    if stride != 1 or inputs != channels:
        shortcut = nn.Sequential(conv1x1(inputs, channels, stride), nn.BatchNorm2d(channels))
    return BasicBlock(inputs, channels, stride, shortcut)
