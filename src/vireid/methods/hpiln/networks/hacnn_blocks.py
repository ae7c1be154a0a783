"""HACNN's inception units and its harmonious attention (Li et al., CVPR 2018, Figs. 2 and 3)."""

import torch
from torch import Tensor, nn

from vireid.methods.hpiln.networks.conv_block import ConvBlock, Streams
from vireid.methods.hpiln.networks.sampling import resized

REGIONS = 4
_FIRST_ROWS = (-0.75, -0.25, 0.25, 0.75)  # where the regions' middles start, from -1 at the top to 1
_CHANNEL_REDUCTION = 16


class InceptionA(Streams):
    """Four streams of a quarter of the channels; the map keeps its size."""

    def __init__(self, inputs: int, outputs: int):
        quarter = outputs // 4
        super().__init__(
            *(nn.Sequential(ConvBlock(inputs, quarter), ConvBlock(quarter, quarter, 3)) for _ in range(3)),
            nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), ConvBlock(inputs, quarter)),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return torch.cat(self.maps(maps), dim=1)


class InceptionB(Streams):
    """Three streams of a quarter, a quarter and half of the channels; the map is halved."""

    def __init__(self, inputs: int, outputs: int):
        quarter = outputs // 4
        super().__init__(
            nn.Sequential(ConvBlock(inputs, quarter), ConvBlock(quarter, quarter, 3, stride=2)),
            nn.Sequential(
                ConvBlock(inputs, quarter),
                ConvBlock(quarter, quarter, 3),
                ConvBlock(quarter, quarter, 3, stride=2),
            ),
            nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), ConvBlock(inputs, 2 * quarter)),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / 2, W / 2)."""
        return torch.cat(self.maps(maps), dim=1)


class SpatialAttention(nn.Module):
    """Where to look, from the mean over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = ConvBlock(1, 1, 3, stride=2), ConvBlock(1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 1, H, W)."""
        _, _, height, width = maps.shape
        return self.conv2(resized(self.conv1(maps.mean(dim=1, keepdim=True)), height, width))


class ChannelAttention(nn.Module):
    """What to look at, from the mean over the map."""

    def __init__(self, channels: int):
        super().__init__()
        between = channels // _CHANNEL_REDUCTION
        self.conv1, self.conv2 = ConvBlock(channels, between), ConvBlock(between, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, 1, 1)."""
        return self.conv2(self.conv1(maps.mean(dim=(2, 3), keepdim=True)))


class SoftAttention(nn.Module):
    """A weight for every pixel and channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.spatial, self.channel = SpatialAttention(), ChannelAttention(channels)
        self.conv = ConvBlock(channels, channels)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to weights (B, C, H, W) in [0.5, 1): the sigmoid follows a ReLU."""
        return self.conv(self.spatial(maps) * self.channel(maps)).sigmoid()


class HardAttention(nn.Module):
    """Where four stripes of the image have their middles; they start one below the other."""

    def __init__(self, channels: int):
        super().__init__()
        self.fc = nn.Linear(channels, 2 * REGIONS)
        nn.init.zeros_(self.fc.weight)
        with torch.no_grad():
            self.fc.bias.copy_(torch.tensor([value for row in _FIRST_ROWS for value in (0.0, row)]))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4, 2), x and y in (-1, 1), float32.

        The linear layer is written out, as mixed precision would round what `fc` returns.
        """
        pooled = maps.float().mean(dim=(2, 3))
        moves = (pooled[:, None] * self.fc.weight).sum(dim=2) + self.fc.bias
        return moves.tanh().unflatten(1, (REGIONS, 2))


class HarmoniousAttention(nn.Module):
    """Soft attention for the whole image, hard attention for its regions."""

    def __init__(self, channels: int):
        super().__init__()
        self.soft, self.hard = SoftAttention(channels), HardAttention(channels)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, H, W) to the map times its weights, and the regions' middles (B, 4, 2)."""
        return maps * self.soft(maps), self.hard(maps)
