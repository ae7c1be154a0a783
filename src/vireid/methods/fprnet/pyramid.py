"""The feature pyramid of FPRnet (Table 2 and Eq. 1)."""

from collections.abc import Collection
from typing import Literal

from torch import Tensor, nn
from torch.nn.functional import interpolate

TopDown = Literal["smoothed", "unsmoothed"]
LEVELS = (2, 3, 4, 5)


class FeaturePyramid(nn.Module):
    """Maps C2..C5 to maps P2..P5 of one width, from the top down.

    P5 = conv1x1(C5); P(k) = conv3x3(conv1x1(C(k)) + upsample(P(k+1))) for k = 4, 3, 2.

    Args:
        channels: Channels of C2, C3, C4 and C5.
        width: Channels of every P(k); paper: 256.
        levels: Which P(k) are wanted. Layers that none of them needs are there but not trained.
        top_down: What goes down: the `smoothed` map P(k+1), as the paper says, or the sum before its 3x3
            convolution (`unsmoothed`), as in its authors' code.
    """

    def __init__(self, channels: tuple[int, ...], width: int, levels: Collection[int], top_down: TopDown):
        super().__init__()
        self.levels, self.top_down = frozenset(levels), top_down
        self.lateral = nn.ModuleList([nn.Conv2d(count, width, 1) for count in channels])
        self.smooth = nn.ModuleList([nn.Conv2d(width, width, 3, padding=1) for _ in channels[:-1]])
        for level, lateral in zip(LEVELS, self.lateral, strict=True):
            lateral.requires_grad_(self._is_needed(level))
        for level, smooth in zip(LEVELS, self.smooth, strict=False):
            smooth.requires_grad_(level in self.levels or (top_down == "smoothed" and self._is_needed(level)))

    def _is_needed(self, level: int) -> bool:
        """Whether a wanted level is this one or lies below."""
        return any(wanted <= level for wanted in self.levels)

    def forward(self, *maps: Tensor) -> dict[int, Tensor]:
        """Maps (B, C(k), H(k), W(k)), k = 2..5, to the wanted maps (B, width, H(k), W(k)) by level."""
        wanted = {}
        above = None
        for level in sorted(filter(self._is_needed, LEVELS), reverse=True):
            index = LEVELS.index(level)
            summed = self.lateral[index](maps[index])
            if above is not None:
                # 9x5 to 18x9 is no exact factor of 2, hence the lateral map's own size.
                size = maps[index].shape[-2:]
                summed = summed + interpolate(above, size=size, mode="bilinear", align_corners=True)
            smoothed = summed
            if index < len(self.smooth) and (level in self.levels or self.top_down == "smoothed"):
                smoothed = self.smooth[index](summed)
            above = smoothed if self.top_down == "smoothed" else summed
            if level in self.levels:
                wanted[level] = smoothed
        return wanted
