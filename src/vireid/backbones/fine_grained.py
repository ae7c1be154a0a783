"""Fine-grained features: horizontal strips of the last map, each with a layer and a classifier of its own."""

from torch import Tensor, nn

from vireid.backbones.pooled_strips import average_of_strips


class FineGrained(nn.Module):
    """Strips as in PCB (Sun et al., ECCV 2018): pooled, narrowed, classified.

    Args:
        channels: Of the map, C.
        strips: Their number, P.
        width: Of a strip's feature, S.
        num_pids: Identities N.
    """

    def __init__(self, channels: int, strips: int, width: int, num_pids: int):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())
            for _ in range(strips)
        )
        self.classifiers = nn.ModuleList(nn.Linear(width, num_pids) for _ in range(strips))

    def forward(self, feature_map: Tensor) -> list[Tensor]:
        """(B, C, H, W) to (B, S) for each strip, from the top down."""
        pooled = average_of_strips(feature_map, len(self.layers)).unbind(dim=1)
        return [layer(strip) for layer, strip in zip(self.layers, pooled, strict=True)]

    def classify(self, strips: list[Tensor]) -> list[Tensor]:
        """(B, S) of each strip to its logits (B, N)."""
        return [classifier(strip) for classifier, strip in zip(self.classifiers, strips, strict=True)]
