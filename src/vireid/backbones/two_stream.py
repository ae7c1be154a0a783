"""The two-stream network, written once: the first layers per modality, the rest shared."""

from collections.abc import Callable, Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from vireid.backbones.trunks import Trunk
from vireid.data.records import Modality


def per_modality(
    branches: Sequence[Callable[[Tensor], tuple[Tensor, ...]]], rows: Tensor, visible: int
) -> tuple[Tensor, ...]:
    """Send every row through the branch of its modality.

    Args:
        branches: One callable per modality, from rows to a tuple of tensors of rows.
        rows: (B, ...), the visible ones first.
        visible: Number of visible rows, 0 to B; a branch without rows is not called.

    Returns:
        The branches' tuple, with the rows in their order.
    """
    parts = [
        branch(part) for branch, part in zip(branches, (rows[:visible], rows[visible:]), strict=True) if len(part)
    ]
    return tuple(torch.cat(pieces) for pieces in zip(*parts, strict=True))


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
        first = share_from - 1
        separate = Trunk(trunk.stem, list(trunk.stages[:first]), trunk.channels[:first], trunk.origin)
        self.separate = nn.ModuleList([separate, deepcopy(separate)])
        self.shared = nn.ModuleList(trunk.stages[first:])

    def forward(self, images: Tensor, visible: int) -> tuple[Tensor, ...]:
        """Images of both spectra, (B, 3, H, W) with the visible ones first, to the maps C2, C3, C4, C5."""
        return self._shared_maps(
            per_modality([self._branch(modality).stem_and_maps for modality in Modality], images, visible)
        )

    def maps_of(self, images: Tensor, modality: Modality) -> tuple[Tensor, ...]:
        """Images of one spectrum, (B, 3, H, W), to the maps C2, C3, C4, C5."""
        return self._shared_maps(self._branch(modality).stem_and_maps(images))

    def stages(self, modality: Modality) -> dict[str, nn.Module]:
        """Name the four stages that images of one spectrum go through; shared ones are the same modules."""
        stages = [*self._branch(modality).stages, *self.shared]
        return {f"stage{number}": stage for number, stage in enumerate(stages, start=1)}

    def _branch(self, modality: Modality) -> Trunk:
        branch = self.separate[modality]
        assert isinstance(branch, Trunk)
        return branch

    def _shared_maps(self, separate: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Go on from the stem's output and the maps of the separate stages."""
        maps = list(separate)
        for stage in self.shared:
            maps.append(stage(maps[-1]))
        return tuple(maps[1:])
