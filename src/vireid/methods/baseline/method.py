"""The field's plain strong baseline: two stems, one shared trunk, BN neck, identity and batch-hard triplet loss.

Ye et al., "Deep learning for person re-identification: a survey and outlook" (TPAMI 2022), their baseline
without non-local blocks, with the BN neck of Luo et al. (CVPRW 2019) and the triplet loss of Hermans et al.
(2017). It is the yardstick for the data set and for every other method.

Recipe (AGW's): SGD 0.1 (trunk at 0.1x), 8 identities x (4 + 4) images, last stride 1, margin 0.3, 80 epochs.

Deviations: pooling and label smoothing are parameters.
"""

from torch import Tensor

from vireid.backbones.pooling import Pooling
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.base import Batch
from vireid.methods.necked import Necked, NeckedOutputs
from vireid.params import NonNegative, Probability, Section


class Architecture(Section):
    """Architecture."""

    trunk: SharedTrunkSettings
    pooling: Pooling


class Objective(Section):
    """Weights of the two terms, the triplet margin and the label smoothing."""

    identity: NonNegative
    triplet: NonNegative
    margin: NonNegative
    label_smoothing: Probability


class Baseline(Necked):
    """Two stems, one shared trunk, BN neck."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__(num_pids, build_trunk(model.trunk), model.trunk, model.pooling)
        self.margin, self.label_smoothing = loss.margin, loss.label_smoothing
        self.loss_weights = {"identity": loss.identity, "triplet": loss.triplet}

    def losses(self, outputs: NeckedOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {
            "identity": identity_loss(outputs.logits, batch.labels, self.label_smoothing),
            "triplet": batch_hard_triplet_loss(outputs.pooled, batch.labels, self.margin, everyone),
        }
