"""The two-stream network, written once: the first layers per modality, the rest shared."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from vireid.backbones.trunks import Trunk
from vireid.data.records import Modality


def per_modality(
    branches: Sequence[Callable[..., tuple[Tensor, ...]]], inputs: tuple[Tensor, ...], modality: Tensor
) -> tuple[Tensor, ...]:
    """Send every row through the branch of its modality.

    Args:
        branches: One callable per modality, from tensors of rows to a tuple of tensors of rows.
        inputs: Tensors (B, ...), the branches' arguments.
        modality: (B,) int64, values of `Modality`; a batch may lack one of them.

    Returns:
        The branches' tuple, with the rows in the order of `inputs`.
    """
    rows = [torch.nonzero(modality == index).flatten() for index in Modality]
    present = [index for index in Modality if len(rows[index])]
    outputs = [branches[index](*(tensor.index_select(0, rows[index]) for tensor in inputs)) for index in present]
    order = torch.cat([rows[index] for index in present]).argsort()
    return tuple(torch.cat(parts).index_select(0, order) for parts in zip(*outputs, strict=True))


class TwoStream(nn.Module):
    """Two copies of a trunk's first layers, one per modality, and one copy of the others.

    Args:
        trunk: The trunk; both modalities start from its weights.
        share_from: The first shared stage, 1 (only the stem is separate) to 5 (two whole trunks).

    Attributes:
        channels: Channels of C2, C3, C4 and C5.
    """

    def __init__(self, trunk: Trunk, share_from: int):
        super().__init__()
        self.channels = trunk.channels
        separate = Trunk(trunk.stem, list(trunk.stages[: share_from - 1]), trunk.channels[: share_from - 1])
        self.separate = nn.ModuleList([separate, deepcopy(separate)])
        self.shared = nn.ModuleList(trunk.stages[share_from - 1 :])

    def forward(self, images: Tensor, modality: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W), (B,) to the maps C2, C3, C4, C5 of all rows."""
        maps = list(per_modality([branch.stem_and_maps for branch in self.separate], (images,), modality))
        for stage in self.shared:
            maps.append(stage(maps[-1]))
        return tuple(maps[1:])
