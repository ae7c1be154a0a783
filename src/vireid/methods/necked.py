"""What the plain strong baseline and AGW share: two stems, one shared trunk, and a BN neck."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vireid.backbones.neck import Neck
from vireid.backbones.pooling import Pooling, pool
from vireid.backbones.trunks import SharedTrunkSettings, Trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.methods.base import Batch, Method, trunk_and_new


@dataclass
class NeckedOutputs:
    """`pooled` (B, C5) is what is compared, `logits` (B, N) come after the BN neck."""

    pooled: Tensor
    logits: Tensor


class Necked(Method[NeckedOutputs]):
    """A two-stream backbone, pooling, and a BN neck, whose output is ranked; a subclass says what is learnt.

    Args:
        num_pids: Identities N.
        trunk: Has the pretrained weights; both spectra start from them.
        settings: From which stage on it is shared, and its learning rate.
        pooling: Of the last map.
    """

    def __init__(self, num_pids: int, trunk: Trunk, settings: SharedTrunkSettings, pooling: Pooling):
        super().__init__()
        self.backbone = TwoStream(trunk, settings.share_from)
        self.pooling, self.lr_factor = pooling, settings.lr_factor
        width = self.backbone.channels[-1]
        self.neck = Neck(width, num_pids)
        self.embedding_dims = {"neck": width, "pooled": width}

    def outputs(self, batch: Batch) -> NeckedOutputs:
        """See `Method.outputs`."""
        pooled = pool(self.backbone(batch.images, batch.visible)[-1], self.pooling)
        return NeckedOutputs(pooled, self.neck(pooled))

    def measures(self, outputs: NeckedOutputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the classifier."""
        return {"accuracy": top1_rate(outputs.logits, batch.labels)}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        pooled = pool(self.backbone.maps_of(images, modality)[-1], self.pooling)
        return {"neck": self.neck.norm(pooled), "pooled": pooled}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)
