"""One-stream network: one CNN for both spectra, trained to classify identities.

Wu et al., "RGB-infrared cross-modality person re-identification" (ICCV 2017), the first of their three networks
and a row in the tables of FPRnet, HPILN and many others. Nothing in it knows that there are two spectra.

Recipe: the paper trains a small residual network (ResNet-6) from scratch; its tables' later rows stand on
ResNet-50. Here the trunk is a parameter, and everything else is the plain baseline's recipe.

Deviations: trunk and optimiser, as said; batches are identity-balanced as those of the other methods.
"""

from vireid.backbones.trunks import TunedTrunkSettings
from vireid.methods.classified import ClassifiedLoss, OneTrunk
from vireid.params import Section


class Architecture(Section):
    """Architecture."""

    trunk: TunedTrunkSettings


class OneStream(OneTrunk):
    """One trunk and a classifier."""

    Model, Loss = Architecture, ClassifiedLoss
    one_stream = True

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        super().__init__(num_pids, model.trunk, label_smoothing=loss.label_smoothing)
