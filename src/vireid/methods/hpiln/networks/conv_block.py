"""The layer that HACNN and MuDeep are made of."""

from torch import Tensor, nn
from torch.nn.functional import relu


class ConvBlock(nn.Module):
    """Convolution with bias, batch normalisation and ReLU.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Height and width, both odd: the map is padded so that a stride of 1 keeps its size.
        stride: Of the convolution.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int | tuple[int, int] = 1, stride: int = 1):
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, (height // 2, width // 2))
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return relu(self.bn(self.conv(maps)))


class Streams(nn.Module):
    """Modules that see the same map, `stream1` and so on; their maps are one after another in the channels."""

    def __init__(self, *streams: nn.Module):
        super().__init__()
        for number, stream in enumerate(streams, start=1):
            self.add_module(f"stream{number}", stream)

    def maps(self, maps: Tensor) -> list[Tensor]:
        """(B, C, H, W) to the map of each stream."""
        return [stream(maps) for stream in self.children()]
