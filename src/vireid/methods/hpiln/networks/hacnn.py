"""HACNN, the harmonious attention network (Li et al., CVPR 2018)."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.methods.hpiln.networks.base import NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.conv_block import ConvBlock
from vireid.methods.hpiln.networks.hacnn_blocks import REGIONS, HarmoniousAttention, InceptionA, InceptionB
from vireid.methods.hpiln.networks.linear_block import linear_block
from vireid.methods.hpiln.networks.sampling import stripes
from vireid.params import Count, Section

_STEM = 32
_REGION_SIZES = ((24, 28), (12, 14), (6, 7))
_STAGES = (1, 2, 3)


class Hacnn(ReidNetwork):
    """A global branch with soft attention, and four regions that hard attention finds.

    Stage k of the local branch sees stripes of what stage k of the global branch was made from, added to its own
    last map. Both branches are compared and classified by themselves. Embedded are both (1024), each of length
    one.

    Args:
        num_pids: Identities N.
        settings: Widths.
    """

    paper_size = takes_only = (160, 64)
    key_map = (
        *((rf"inception{stage}\.", f"inceptions.{stage - 1}.") for stage in _STAGES),
        *((rf"local_conv{stage}\.", f"local_convs.{stage - 1}.") for stage in _STAGES),
        *(
            (rf"ha{stage}\.soft_attn\.(spatial|channel)_attn\.", rf"attentions.{stage - 1}.soft.\1.")
            for stage in _STAGES
        ),
        *((rf"ha{stage}\.(soft|hard)_attn\.", rf"attentions.{stage - 1}.\1.") for stage in _STAGES),
        (r"classifier_global\.", "classifiers.0."),
        (r"classifier_local\.", "classifiers.1."),
    )

    class Settings(Section):
        """Channels of the three stages, and width of each branch."""

        widths: Annotated[list[Annotated[int, Field(ge=16, multiple_of=4)]], Field(min_length=3, max_length=3)]
        feature_dim: Count

    def __init__(self, num_pids: int, settings: Settings):
        super().__init__()
        widths, dim = settings.widths, settings.feature_dim
        inputs = [_STEM, *widths[:-1]]
        self.conv = ConvBlock(3, _STEM, 3, stride=2)
        self.inceptions = nn.ModuleList(
            nn.Sequential(InceptionA(before, width), InceptionB(width, width))
            for before, width in zip(inputs, widths, strict=True)
        )
        self.attentions = nn.ModuleList(HarmoniousAttention(width) for width in widths)
        self.local_convs = nn.ModuleList(
            InceptionB(before, width) for before, width in zip(inputs, widths, strict=True)
        )
        self.fc_global = linear_block(widths[-1], dim)
        self.fc_local = linear_block(REGIONS * widths[-1], dim)
        self.classifiers = nn.ModuleList(nn.Linear(dim, num_pids) for _ in range(2))
        self.embedding_dim = 2 * dim
        self.compared_dims = (dim, dim)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        maps = self.conv(images)
        regions: list[Tensor | None] = [None] * REGIONS
        for inception, attention, local_conv, size in zip(
            self.inceptions, self.attentions, self.local_convs, _REGION_SIZES, strict=True
        ):
            attended, middles = attention(inception(maps))
            for region, before in enumerate(regions):
                stripe = stripes(maps, middles[:, region], *size)
                regions[region] = local_conv(stripe if before is None else stripe + before)
            maps = attended
        whole = self.fc_global(maps.mean(dim=(2, 3)))
        local = self.fc_local(torch.cat([r.mean(dim=(2, 3)) for r in regions if r is not None], dim=1))
        compared = [whole, local]
        embedding = torch.cat([normalize(branch) for branch in compared], dim=1)
        return NetworkOutputs(embedding, compared, self.classified(compared))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return {f"stage{number}": stage for number, stage in enumerate(self.inceptions, start=1)}
