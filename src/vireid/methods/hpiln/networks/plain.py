"""A trunk, mean pooling and a classifier: ResNet-50 (He et al. 2016) and DenseNet-121 (Huang et al. 2017)."""

from torch import Tensor, nn

from vireid.backbones.pooling import pool
from vireid.backbones.trunks import TrunkSettings, build_trunk
from vireid.methods.hpiln.networks.base import CLASSIFIER_KEY, NetworkOutputs, ReidNetwork
from vireid.methods.hpiln.networks.resnet_keys import RESNET_KEYS

_DENSENET_KEYS = (
    (r"features\.conv0\.", "trunk.stem.0."),
    (r"features\.norm0\.", "trunk.stem.1."),
    (r"features\.denseblock1\.", "trunk.stages.0.0."),
    (r"features\.transition1\.", "trunk.stages.1.0."),
    (r"features\.denseblock2\.", "trunk.stages.1.1."),
    (r"features\.transition2\.", "trunk.stages.2.0."),
    (r"features\.denseblock3\.", "trunk.stages.2.1."),
    (r"features\.transition3\.", "trunk.stages.3.0."),
    (r"features\.denseblock4\.", "trunk.stages.3.1."),
    (r"features\.norm5\.", "trunk.stages.3.2."),
)


class Plain(ReidNetwork):
    """A trunk's last map, pooled: embedded, compared and classified.

    Args:
        num_pids: Identities N.
        trunk: The paper's are `resnet50` and `densenet121`, with a last stride of 2.
    """

    paper_size = (224, 224)
    key_map = (*RESNET_KEYS, *_DENSENET_KEYS, CLASSIFIER_KEY)

    def __init__(self, num_pids: int, trunk: TrunkSettings):
        super().__init__()
        self.trunk = build_trunk(trunk)
        self.embedding_dim = self.trunk.channels[-1]
        self.compared_dims = (self.embedding_dim,)
        self.classifiers = nn.ModuleList([nn.Linear(self.embedding_dim, num_pids)])

    def forward(self, images: Tensor) -> NetworkOutputs:
        """See `ReidNetwork.forward`."""
        pooled = pool(self.trunk(images)[-1])
        return NetworkOutputs(pooled, [pooled], self.classified([pooled]))

    def explained_layers(self) -> dict[str, nn.Module]:
        """See `ReidNetwork.explained_layers`."""
        return self.trunk.named_stages()
