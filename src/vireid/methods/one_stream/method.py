"""One-stream network: one CNN for both spectra, trained to classify identities.

Wu et al., "RGB-infrared cross-modality person re-identification" (ICCV 2017), the first of their three networks
and a row in the tables of FPRnet, HPILN and many others. Nothing in it knows that there are two spectra.

Recipe: the paper trains a small residual network (ResNet-6) from scratch; its tables' later rows stand on
ResNet-50. Here the trunk is a parameter, and everything else is the plain baseline's recipe.

Deviations: trunk and optimiser, as said; batches are identity-balanced as those of the other methods.
"""

from torch import Tensor, nn

from vireid.backbones.trunks import Trunk, TunedTrunkSettings, build_trunk
from vireid.data.records import Modality
from vireid.methods.base import Batch
from vireid.methods.classified import Classified, ClassifiedLoss
from vireid.params import Section


class Architecture(Section):
    """Architecture."""

    trunk: TunedTrunkSettings


class OneStream(Classified):
    """One trunk."""

    Model = Architecture
    one_stream = True
    backbone: Trunk

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        trunk = build_trunk(model.trunk)
        super().__init__(num_pids, trunk, trunk.channels[-1], model.trunk.lr_factor, loss)

    def batch_map(self, batch: Batch) -> Tensor:
        """See `Classified.batch_map`."""
        return self.backbone(batch.images)[-1]

    def feature_map(self, images: Tensor, modality: Modality) -> Tensor:
        """See `Classified.feature_map`; the spectrum makes no difference."""
        return self.backbone(images)[-1]

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.named_stages()
