"""newcomer: two stems, one shared trunk, mean pooling and a classifier; the smallest method that trains."""

from torch import Tensor, nn

from vireid.backbones.pooling import pool
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.methods.base import Batch, Method
from vireid.params import Probability, Section


class Architecture(Section):
    """Architecture."""

    trunk: SharedTrunkSettings


class Objective(Section):
    """Objective."""

    label_smoothing: Probability


class Newcomer(Method[Tensor]):
    """Ranked is the pooled last map."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        width = self.backbone.channels[-1]
        self.classifier, self.label_smoothing = nn.Linear(width, num_pids), loss.label_smoothing
        self.embedding_dims, self.loss_weights = {"pooled": width}, {"identity": 1.0}

    def outputs(self, batch: Batch) -> Tensor:
        """(B, N) logits."""
        return self.classifier(pool(self.backbone(batch.images, batch.visible)[-1]))

    def losses(self, outputs: Tensor, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        return {"identity": identity_loss(outputs, batch.labels, self.label_smoothing)}

    def measures(self, outputs: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy."""
        return {"accuracy": top1_rate(outputs, batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return {"pooled": pool(self.backbone.maps_of(images, modality)[-1])}
