"""BFE, the batch feature erasing network, later called BDB (Dai et al., ICCV 2019)."""

import torch
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, conv1x1

from vireid.backbones.pooling import pool
from vireid.backbones.trunks import TrunkSettings, build_trunk
from vireid.methods.hpiln.networks.base import NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.linear_block import linear_block
from vireid.params import Count, Probability, Section


class Bfe(ReidNetwork):
    """A global branch, and one in which the same rectangle is erased from the maps of the whole batch in training.

    Both branches are compared, each by itself, and classified. Embedded is the erasing branch (1024, as HPILN's
    Table 1 has it), or both side by side (1536, as BFE has it).

    Args:
        num_pids: Identities N.
        trunk: The paper's is `resnet50`, with a last stride of 1.
        settings: Widths, and the rectangle.
    """

    paper_size = (256, 128)

    class Settings(Section):
        """Architecture.

        Attributes:
            global_width: Of the global branch.
            erasing_width: Of the other one.
            rectangle_height: Of the map's height, in [0, 1].
            rectangle_width: Of the map's width, in [0, 1].
            concatenate: Embed both branches.
        """

        global_width: Count
        erasing_width: Count
        rectangle_height: Probability
        rectangle_width: Probability
        concatenate: bool

    def __init__(self, num_pids: int, trunk: TrunkSettings, settings: Settings):
        super().__init__()
        self.trunk, self.settings = build_trunk(trunk), settings
        channels = self.trunk.channels[-1]
        planes = channels // Bottleneck.expansion
        self.compared_dims = (settings.global_width, settings.erasing_width)
        self.embedding_dim = sum(self.compared_dims) if settings.concatenate else settings.erasing_width
        self.reduction = linear_block(channels, settings.global_width)
        self.bottleneck = _bottleneck(channels, planes)
        self.erasing = linear_block(planes * Bottleneck.expansion, settings.erasing_width)
        self.classifiers = nn.ModuleList(nn.Linear(width, num_pids) for width in self.compared_dims)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        feature_map = self.trunk(images)[-1]
        whole = self.reduction(pool(feature_map))
        remaining = self.bottleneck(feature_map)
        if self.training:
            remaining = remaining * self._kept(remaining)
        erased = self.erasing(remaining.amax(dim=(2, 3)))  # equal maxima share the gradient
        compared = [whole, erased]
        embedding = torch.cat(compared, dim=1) if self.settings.concatenate else erased
        return NetworkOutputs(embedding, compared, self.classified(compared))

    def _kept(self, feature_map: Tensor) -> Tensor:
        """Zeros in a rectangle at a random place, ones elsewhere: (H, W) for maps (B, C, H, W).

        The place is drawn on the CPU, so that it is the same on every device; nothing waits for the device.
        """
        ratios = (self.settings.rectangle_height, self.settings.rectangle_width)
        inside = []
        for size, ratio in zip(feature_map.shape[2:], ratios, strict=True):
            length = round(ratio * size)
            start = torch.randint(size - length + 1, ())
            places = torch.arange(size, device=feature_map.device)
            inside.append((places >= start) & (places < start + length))
        rows, columns = inside
        return (~(rows[:, None] & columns[None, :])).to(feature_map.dtype)

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return self.trunk.named_stages() | {"erasing": self.bottleneck}


def _bottleneck(channels: int, planes: int) -> Bottleneck:
    """One more block of ResNet-50's kind: (B, channels, H, W) to (B, 4 planes, H, W).

    Where these are fewer, as for a trunk with 185 channels, the shortcut is a 1x1 convolution, as in ResNet-50.
    """
    outputs, shortcut = planes * Bottleneck.expansion, None
    if outputs != channels:
        shortcut = nn.Sequential(conv1x1(channels, outputs), nn.BatchNorm2d(outputs))
    return Bottleneck(channels, planes, downsample=shortcut)
