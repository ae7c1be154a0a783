"""The feature pyramid of FPRnet (Table 2 and Eq. 1)."""

from torch import Tensor, nn
from torch.nn.functional import interpolate


class FeaturePyramid(nn.Module):
    """Maps C2..C5 to maps P2..P5 of one width, from the top down.

    P5 = conv1x1(C5); P(k) = conv3x3(conv1x1(C(k)) + upsample(P(k+1))) for k = 4, 3, 2: the smoothed map is what
    goes down, as the paper says (its authors' code sends the map before smoothing).

    Args:
        channels: Channels of C2, C3, C4 and C5.
        width: Channels of every P(k); paper: 256.
    """

    def __init__(self, channels: tuple[int, ...], width: int):
        super().__init__()
        self.lateral = nn.ModuleList([nn.Conv2d(count, width, 1) for count in channels])
        self.smooth = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in channels[:-1]])

    def forward(self, *maps: Tensor) -> tuple[Tensor, ...]:
        """Maps (B, C(k), H(k), W(k)), k = 2..5, to maps (B, width, H(k), W(k))."""
        top = self.lateral[-1](maps[-1])
        pyramid = [top]
        for level in reversed(range(len(maps) - 1)):
            # 9x5 to 18x9 is no exact factor of 2, hence the lateral map's own size.
            size = maps[level].shape[-2:]
            above = interpolate(pyramid[0], size=size, mode="bilinear", align_corners=True)
            pyramid.insert(0, self.smooth[level](self.lateral[level](maps[level]) + above))
        return tuple(pyramid)
