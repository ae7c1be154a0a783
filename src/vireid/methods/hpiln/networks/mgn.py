"""MGN, the multiple granularity network (Wang et al., ACM MM 2018)."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from vireid.backbones.pooled_strips import maximum_of_strips
from vireid.backbones.strides import keep_resolution
from vireid.backbones.trunks import TrunkSettings, blocks_of, build_trunk
from vireid.methods.hpiln.networks.base import NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.linear_block import linear_block
from vireid.params import Count, Section

BRANCHES = {"whole": 1, "halves": 2, "thirds": 3}  # and the strips that each is cut into


class Mgn(ReidNetwork):
    """Three branches of one trunk: the whole map, with halves, with thirds; eight vectors by maximum pooling.

    Shared are the stem, two stages and the first block of the third. Each branch has its own copy of the rest, of
    which only the first halves the map once more. Every vector is reduced and has a classifier of its own;
    embedded and compared are all of them side by side (2048). The paper classifies the three whole maps' vectors
    before they are reduced, as its released code does not (papers.md, C6).

    Args:
        num_pids: Identities N.
        trunk: The paper's is `resnet50`, with a last stride of 2.
        settings: Width of a vector.
    """

    paper_size = (384, 128)

    class Settings(Section):
        """Width of each of the eight vectors."""

        width: Count

    def __init__(self, num_pids: int, trunk: TrunkSettings, settings: Settings):
        super().__init__()
        network = build_trunk(trunk)
        self.origin = network.origin
        first, second, third, last = network.stages
        begin, *rest = blocks_of(third)
        self.shared = nn.Sequential(network.stem, first, second, begin)
        branch = nn.Sequential(*rest, last)
        branches = {name: deepcopy(branch) for name in BRANCHES}
        for name in ("halves", "thirds"):
            keep_resolution(branches[name][-1])
        self.branches = nn.ModuleDict(branches)
        vectors = sum(1 if strips == 1 else 1 + strips for strips in BRANCHES.values())
        self.reductions = nn.ModuleList(
            linear_block(network.channels[-1], settings.width, bias=False) for _ in range(vectors)
        )
        self.classifiers = nn.ModuleList(nn.Linear(settings.width, num_pids) for _ in range(vectors))
        self.embedding_dim = vectors * settings.width
        self.compared_dims = (self.embedding_dim,)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        shared = self.shared(images)
        maxima = []
        for name, strips in BRANCHES.items():
            feature_map = self.branches[name](shared)
            maxima += [feature_map.amax(dim=(2, 3))]  # equal maxima share the gradient
            if strips > 1:
                maxima += maximum_of_strips(feature_map, strips)
        vectors = [reduce(maximum) for reduce, maximum in zip(self.reductions, maxima, strict=True)]
        embedding = torch.cat(vectors, dim=1)
        return NetworkOutputs(embedding, [embedding], self.classified(vectors))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return {"shared": self.shared, **dict(self.branches.items())}
