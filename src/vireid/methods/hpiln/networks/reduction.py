"""The layer with which PCB, MGN and BFE make a vector narrower."""

from torch import Tensor, nn


class Reduction(nn.Sequential):
    """1x1 convolution, batch normalisation and ReLU.

    Args:
        inputs: Channels of a vector.
        outputs: Channels that are left.
        bias: Whether the convolution has a bias.
    """

    def __init__(self, inputs: int, outputs: int, bias: bool = False):
        super().__init__(nn.Conv2d(inputs, outputs, 1, bias=bias), nn.BatchNorm2d(outputs), nn.ReLU())

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, inputs) or (B, P, inputs) to (B, outputs) or (B, P, outputs)."""
        points = vectors.reshape(len(vectors), -1, vectors.shape[-1]).transpose(1, 2)[..., None]
        reduced: Tensor = super().forward(points)
        return reduced[..., 0].transpose(1, 2).reshape(*vectors.shape[:-1], -1)
