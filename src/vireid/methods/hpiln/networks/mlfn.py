"""MLFN, the multi-level factorisation net (Chang et al., CVPR 2018)."""

from itertools import accumulate, pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import relu

from vireid.methods.hpiln.networks.base import CLASSIFIER_KEY, NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.initial import initialise
from vireid.params import Section

GROUPS = 32
BLOCKS = (3, 4, 6, 3)  # of each width
_CHANNELS = (64, 256, 512, 1024, 2048)
_SELECTOR_CHANNELS = ((128, 64), (256, 128), (512, 128), (512, 128))
_EMBEDDING = 1024


class Block(nn.Module):
    """A bottleneck of 32 groups of channels, and what chooses among them.

    Args:
        inputs: Channels.
        outputs: Channels, a multiple of 64.
        stride: Of the 3x3 convolution.
        between: Channels of the two layers that choose.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, between: tuple[int, int]):
        super().__init__()
        middle = outputs // 2
        self.fm_conv1, self.fm_bn1 = nn.Conv2d(inputs, middle, 1, bias=False), nn.BatchNorm2d(middle)
        self.fm_conv2 = nn.Conv2d(middle, middle, 3, stride, padding=1, groups=GROUPS, bias=False)
        self.fm_bn2 = nn.BatchNorm2d(middle)
        self.fm_conv3, self.fm_bn3 = nn.Conv2d(middle, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        layers: list[nn.Module] = []
        for before, after in pairwise((inputs, *between, GROUPS)):
            layers += [nn.Conv2d(before, after, 1), nn.BatchNorm2d(after), nn.ReLU()]
        self.fsm = nn.Sequential(*layers[:-1], nn.Sigmoid())
        self.activation = nn.ReLU()
        self.downsample = None
        if inputs != outputs or stride > 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride), and the groups' weights (B, 32, 1, 1)."""
        weights = self.fsm(maps.mean(dim=(2, 3), keepdim=True))
        values = relu(self.fm_bn1(self.fm_conv1(maps)))
        values = relu(self.fm_bn2(self.fm_conv2(values)))
        values = (values.unflatten(1, (GROUPS, -1)) * weights[:, :, None]).flatten(1, 2)
        values = relu(self.fm_bn3(self.fm_conv3(values)))
        shortcut = maps if self.downsample is None else self.downsample(maps)
        return self.activation(shortcut + values), weights


class Mlfn(ReidNetwork):
    """Sixteen blocks; embedded is the mean of the last map's vector and of what was chosen in all blocks (1024).

    Args:
        num_pids: Identities N.
        settings: The width.
    """

    paper_size = (224, 224)
    key_map = (
        # There a pooling is the first of the modules that choose.
        *((rf"feature\.(\d+)\.fsm\.{place + 1}\.", rf"blocks.\1.fsm.{place}.") for place in range(8)),
        (r"feature\.", "blocks."),
        CLASSIFIER_KEY,
    )

    class Settings(Section):
        """Channels as a part of the paper's, a multiple of 0.25 so that there remain 32 groups."""

        width_factor: Annotated[float, Field(ge=0.25, multiple_of=0.25)]

    def __init__(self, num_pids: int, settings: Settings):
        super().__init__()
        stem, *widths = (round(width * settings.width_factor) for width in _CHANNELS)
        self.embedding_dim = round(_EMBEDDING * settings.width_factor)
        self.compared_dims = (self.embedding_dim,)
        self.conv1, self.bn1 = nn.Conv2d(3, stem, 7, stride=2, padding=3), nn.BatchNorm2d(stem)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        blocks, before = [], stem
        for group, (width, count, selector) in enumerate(zip(widths, BLOCKS, _SELECTOR_CHANNELS, strict=True)):
            first, second = (round(channels * settings.width_factor) for channels in selector)
            for number in range(count):
                stride = 2 if group and not number else 1
                blocks.append(Block(before, width, stride, (first, second)))
                before = width
        self.blocks = nn.ModuleList(blocks)
        self.fc_x = _feature(widths[-1], self.embedding_dim)
        self.fc_s = _feature(GROUPS * len(blocks), self.embedding_dim)
        self.classifiers = nn.ModuleList([nn.Linear(self.embedding_dim, num_pids)])
        initialise(self)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        maps = self.maxpool(relu(self.bn1(self.conv1(images))))
        chosen = []
        for block in self.blocks:
            maps, weights = block(maps)
            chosen.append(weights)
        seen = self.fc_x(maps.mean(dim=(2, 3), keepdim=True))
        factors = self.fc_s(torch.cat(chosen, dim=1))
        embedding = ((seen + factors) / 2).flatten(1)
        return NetworkOutputs(embedding, [embedding], self.classified([embedding]))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`; of a group's last block what has the map alone."""
        ends = (self.blocks[end - 1] for end in accumulate(BLOCKS))
        return {f"stage{number}": _activation(block) for number, block in enumerate(ends, start=1)}


def _activation(block: nn.Module) -> nn.Module:
    assert isinstance(block, Block)
    return block.activation


def _feature(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU())
