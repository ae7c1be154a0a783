"""Two-stream network: the first layers of each spectrum, shared ones above, trained to classify identities.

Wu et al., "RGB-infrared cross-modality person re-identification" (ICCV 2017), the second of their three networks
(preset `two_stream`). With two whole trunks and a layer of 512 above it is the ResNet-50 of FPRnet's Table 8, the
identity baseline of Ye's public code (preset `resnet50_identity`).

Recipe: the plain baseline's. How many layers are the spectra's own is not said; model.trunk.share_from decides.

Deviations: trunk and optimiser, as in the one-stream network.
"""

from torch import Tensor, nn

from vireid.backbones.eigenlayer import LinearNorm
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.methods.base import Batch
from vireid.methods.classified import Classified, ClassifiedLoss
from vireid.params import Count, Section


class Architecture(Section):
    """Architecture.

    Attributes:
        width: Of a linear layer with batch normalisation that both spectra share; null without one.
    """

    trunk: SharedTrunkSettings
    width: Count | None


class TwoStreamNetwork(Classified):
    """Two trunks that become one from a stage on."""

    Model = Architecture
    backbone: TwoStream

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        channels, width = backbone.channels[-1], model.width
        layer = LinearNorm(channels, width) if width else None
        super().__init__(num_pids, backbone, channels, model.trunk.lr_factor, loss, layer, width)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        return self.backbone(batch.images, batch.visible)[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`."""
        return self.backbone.maps_of(images, modality)[-1]

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)
