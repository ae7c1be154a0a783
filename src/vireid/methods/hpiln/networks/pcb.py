"""PCB, the part-based convolutional baseline (Sun et al., ECCV 2018), without its refined part pooling."""

from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.backbones.pooled_strips import average_of_strips
from vireid.backbones.trunks import TrunkSettings, build_trunk
from vireid.methods.hpiln.networks.base import NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.resnet_keys import RESNET_KEYS
from vireid.params import Count, Probability, Section


class Pcb(ReidNetwork):
    """Horizontal strips of the last map, each with a classifier of its own.

    Compared and ranked are the pooled strips, each of length one (12288 on ResNet-50); in training they are
    compared as dropout leaves them. What makes them narrower serves the classifiers only.

    Args:
        num_pids: Identities N.
        trunk: The paper's is `resnet50`, with a last stride of 1.
        settings: Number of strips, and so on.
    """

    paper_size = (224, 224)
    key_map = (*RESNET_KEYS, (r"conv5\.layers\.", "reduction."), (r"classifier\.", "classifiers."))

    class Settings(Section):
        """Number of strips, width of what is classified, and share of the pooled values that are dropped."""

        parts: Count
        width: Count
        dropout: Probability

    def __init__(self, num_pids: int, trunk: TrunkSettings, settings: Settings):
        super().__init__()
        self.trunk, self.parts = build_trunk(trunk), settings.parts
        channels = self.trunk.channels[-1]
        self.dropout = nn.Dropout(settings.dropout)
        self.reduction = nn.Sequential(
            nn.Conv2d(channels, settings.width, 1, bias=False), nn.BatchNorm2d(settings.width), nn.ReLU()
        )
        self.classifiers = nn.ModuleList(nn.Linear(settings.width, num_pids) for _ in range(settings.parts))
        self.embedding_dim = settings.parts * channels
        self.compared_dims = (self.embedding_dim,)

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        strips = self.dropout(average_of_strips(self.trunk(images)[-1], self.parts))
        embedding = normalize(strips, dim=2).flatten(1)
        parts = self.reduction(strips.mT[..., None])[..., 0].unbind(dim=2)
        return NetworkOutputs(embedding, [embedding], self.classified(parts))

    def only_for_identities(self) -> list[nn.Module]:
        """See `ReidNetwork.only_for_identities`."""
        return [self.reduction, *self.classifiers]

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return self.trunk.named_stages()
