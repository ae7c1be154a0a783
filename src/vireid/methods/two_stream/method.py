"""Two-stream network: the first layers of each spectrum, shared ones above, trained to classify identities.

Wu et al., "RGB-infrared cross-modality person re-identification" (ICCV 2017), the second of their three networks
(preset `two_stream`). With two whole trunks and a layer of 512 above it is the ResNet-50 of FPRnet's Table 8, the
identity baseline of Ye's public code (preset `resnet50_identity`).

Recipe: the plain baseline's. How many layers are the spectra's own is not said; model.trunk.share_from decides.

Deviations: trunk and optimiser, as in the one-stream network.
"""

from vireid.backbones.trunks import SharedTrunkSettings
from vireid.methods.classified import ClassifiedLoss, TwoTrunks
from vireid.params import Count, Section


class Architecture(Section):
    """Architecture.

    Attributes:
        width: Of a linear layer with batch normalisation that both spectra share; null without one.
    """

    trunk: SharedTrunkSettings
    width: Count | None


class TwoStreamNetwork(TwoTrunks):
    """Two trunks that become one from a stage on, and a classifier."""

    Model, Loss = Architecture, ClassifiedLoss

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        super().__init__(num_pids, model.trunk, model.width, loss.label_smoothing)
