"""Res-Mid (Yu et al., 2017): vectors of the middle of the last stage beside that of its end."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from vireid.backbones.pooling import pool
from vireid.backbones.trunks import Trunk, TrunkSettings, blocks_of, build_trunk
from vireid.methods.hpiln.networks.base import CLASSIFIER_KEY, NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.linear_block import linear_block
from vireid.methods.hpiln.networks.resnet_keys import RESNET_KEYS
from vireid.params import Count, Section

_BLOCKS = 3


class ResMid(ReidNetwork):
    """The last three blocks of a trunk: two of them fused, the last as it is; 3072 wide on ResNet-50.

    On ResNet-50 these are the blocks of its last stage. A trunk with fewer blocks in it gives blocks of the stage
    before, too.

    Args:
        num_pids: Identities N.
        trunk: The paper's is `resnet50`, with a last stride of 2.
        settings: The width.
    """

    paper_size = (224, 224)
    key_map = (*RESNET_KEYS, CLASSIFIER_KEY)

    class Settings(Section):
        """Width of the two blocks' vector."""

        width: Count

    def __init__(self, num_pids: int, trunk: TrunkSettings, settings: Settings):
        super().__init__()
        self.trunk = build_trunk(trunk)
        channels = self._channels()
        self.fc_fusion = linear_block(sum(channels[:-1]), settings.width)
        self.embedding_dim = settings.width + channels[-1]
        self.compared_dims = (self.embedding_dim,)
        self.classifiers = nn.ModuleList([nn.Linear(self.embedding_dim, num_pids)])

    def _channels(self) -> list[int]:
        """Channels of the last blocks' maps, by a copy of the trunk without weights."""
        trunk = deepcopy(self.trunk).to("meta").eval()
        return [pooled.shape[1] for pooled in _last_vectors(trunk, torch.empty(1, 3, 64, 64, device="meta"))]

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        *middle, last = _last_vectors(self.trunk, images)
        embedding = torch.cat([self.fc_fusion(torch.cat(middle, dim=1)), last], dim=1)
        return NetworkOutputs(embedding, [embedding], self.classified([embedding]))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`; a stage is not called as such, but its last block is."""
        return {name: blocks_of(stage)[-1] for name, stage in self.trunk.named_stages().items()}


def _last_vectors(trunk: Trunk, images: Tensor) -> list[Tensor]:
    """(B, 3, H, W) to the pooled maps of the last three blocks."""
    values = trunk.stem(images)
    blocks = [block for stage in trunk.stages for block in blocks_of(stage)]
    vectors = []
    for place, block in enumerate(blocks, start=1):
        values = block(values)
        if place > len(blocks) - _BLOCKS:
            vectors.append(pool(values))
    return vectors
