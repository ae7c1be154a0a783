"""MuDeep, the multi-scale deep network (Qian et al., ICCV 2017), as torchreid has it."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from vireid.methods.hpiln.networks.base import CLASSIFIER_KEY, NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.conv_block import ConvBlock, Streams
from vireid.methods.hpiln.networks.initial import initialise
from vireid.methods.hpiln.networks.linear_block import linear_block
from vireid.params import Section

_POOLED = 4  # torchreid's addition: pixels that the fused map is averaged over, in height and width
_STRIDE = 16  # of the fused and pooled map


class MultiScaleA(Streams):
    """Four streams of equal width; the map keeps its size."""

    def __init__(self, inputs: int, between: int, outputs: int):
        super().__init__(
            nn.Sequential(ConvBlock(inputs, inputs), ConvBlock(inputs, outputs, 3)),
            nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), ConvBlock(inputs, outputs)),
            ConvBlock(inputs, outputs),
            nn.Sequential(
                ConvBlock(inputs, between), ConvBlock(between, outputs, 3), ConvBlock(outputs, outputs, 3)
            ),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 x outputs, H, W)."""
        return torch.cat(self.maps(maps), dim=1)


class Reduction(Streams):
    """Maximum pooling, a convolution and a chain of three; the map is halved."""

    def __init__(self, inputs: int, outputs: int, chain: tuple[int, int, int]):
        first, second, third = chain
        super().__init__(
            nn.MaxPool2d(3, stride=2, padding=1),
            ConvBlock(inputs, outputs, 3, stride=2),
            nn.Sequential(
                ConvBlock(inputs, first), ConvBlock(first, second, 3), ConvBlock(second, third, 3, stride=2)
            ),
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, inputs + outputs + third of the chain, H / 2, W / 2)."""
        return torch.cat(self.maps(maps), dim=1)


class MultiScaleB(Streams):
    """Four streams of the inputs' width, two of them with flat and tall kernels in turn."""

    def __init__(self, channels: int, first: int, second: int):
        flat, tall = (1, 3), (3, 1)
        super().__init__(
            nn.Sequential(nn.AvgPool2d(3, stride=1, padding=1), ConvBlock(channels, channels)),
            nn.Sequential(
                ConvBlock(channels, first), ConvBlock(first, second, flat), ConvBlock(second, channels, tall)
            ),
            ConvBlock(channels, channels),
            nn.Sequential(
                ConvBlock(channels, first),
                ConvBlock(first, first, flat),
                ConvBlock(first, second, tall),
                ConvBlock(second, second, flat),
                ConvBlock(second, channels, tall),
            ),
        )


class StreamFusion(nn.Module):
    """A weight for every channel of four maps, `a1` to `a4`, drawn from U(0, 1); their sum, pooled."""

    def __init__(self, channels: int):
        super().__init__()
        for number in range(1, 5):
            self.register_parameter(f"a{number}", nn.Parameter(torch.rand(1, channels, 1, 1)))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Four times (B, C, H, W) to (B, C, H / 4, W / 4)."""
        weighted = [weight * values for weight, values in zip(self.parameters(), maps, strict=True)]
        return avg_pool2d(torch.stack(weighted).sum(dim=0), _POOLED)


class MuDeep(ReidNetwork):
    """Streams of several scales, whose channels are weighted; embedded is a layer over the whole map (4096).

    Args:
        num_pids: Identities N.
        settings: The width.
    """

    paper_size = takes_only = (256, 128)
    key_map = (CLASSIFIER_KEY,)

    class Settings(Section):
        """Channels as a part of the paper's."""

        width_factor: Annotated[float, Field(gt=0)]

    def __init__(self, num_pids: int, settings: Settings):
        super().__init__()

        def scaled(width: int) -> int:
            return max(1, round(width * settings.width_factor))

        stem, scale, fused = scaled(96), scaled(24), scaled(96) + 4 * scaled(24) + scaled(64)
        height, width = self.takes_only
        self.embedding_dim = scaled(4096)
        self.compared_dims = (self.embedding_dim,)
        self.block1 = nn.Sequential()
        self.block1.add_module("conv1", ConvBlock(3, scaled(48), 3))
        self.block1.add_module("conv2", ConvBlock(scaled(48), stem, 3))
        self.block1.add_module("maxpool", nn.MaxPool2d(3, stride=2, padding=1))
        self.block2 = MultiScaleA(stem, scaled(16), scale)
        self.block3 = Reduction(4 * scale, stem, (scaled(48), scaled(56), scaled(64)))
        self.block4 = MultiScaleB(fused, scaled(64), scaled(128))
        self.block5 = StreamFusion(fused)
        pixels = height // _STRIDE * (width // _STRIDE)
        self.fc = linear_block(fused * pixels, self.embedding_dim)
        self.classifiers = nn.ModuleList([nn.Linear(self.embedding_dim, num_pids)])
        initialise(self)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        maps = self.block3(self.block2(self.block1(images)))
        embedding = self.fc(self.block5(self.block4.maps(maps)).flatten(1))
        return NetworkOutputs(embedding, [embedding], self.classified([embedding]))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return {"block1": self.block1, "block2": self.block2, "block3": self.block3, "block5": self.block5}
