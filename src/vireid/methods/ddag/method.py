"""DDAG, dynamic dual-attentive aggregation: attention among parts of an image, and among images of an identity.

Ye et al., "Dynamic dual-attentive aggregation learning for visible-infrared person re-identification" (ECCV 2020);
TFFN's nearest rival, whose GLFM and whose growing weight come from here.

    paper                              here
    IWPA, intra-modality parts         PartAttention; embedding `attended`
    CGSA, cross-modality graph         GraphLayer, twice: `graph` and `graph_classifier`
    L_id, L_tri                        losses `identity`, `triplet`
    L_wp                               loss `parts`
    L_g                                loss `graph`, of weight 1 / (1 + mean of the others in the last epoch)

Recipe: two stems, shared trunk, last stride 1, BN neck, three parts, a graph of four heads; optimiser and schedule
are the plain baseline's.

Deviations:
- The graph's layers have no dropout, and the width of a head (model.graph_width) is ours. Its nodes are the
  embeddings with their parts; those of the public code are pooled, without parts.
- The parts are classified by the classifier of the BN neck, and have no normalisation of their own before it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from vireid.backbones.identity_graph import IdentityGraph
from vireid.backbones.neck import Neck
from vireid.backbones.pooled_strips import average_of_strips
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.growing_weight import growing_weight
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.params import Count, NonNegative, Section


class Architecture(Section):
    """Architecture: strips of an image, and width and number of the graph's heads."""

    trunk: SharedTrunkSettings
    parts: Count
    graph_width: Count
    heads: Count


class Objective(Section):
    """Weight and margin of the triplet loss; all other terms but the graph's have weight 1."""

    triplet: NonNegative
    margin: NonNegative


@dataclass
class Outputs:
    """`pooled` (B, C) is compared, `attended` (B, C) ranked; both are classified, `attended` in the graph, too.

    The logits are (B, N) each.
    """

    pooled: Tensor
    attended: Tensor
    logits: Tensor
    attended_logits: Tensor


class Ddag(Method[Outputs]):
    """Two stems, a shared trunk, BN neck, part attention, and a graph in training."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.margin, self.lr_factor = loss.margin, model.trunk.lr_factor
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        width = self.backbone.channels[-1]
        self.neck = Neck(width, num_pids)
        self.part_attention = PartAttention(width, model.parts)
        self.graph = GraphLayer(width, model.graph_width, model.heads)
        self.graph_classifier = GraphLayer(model.heads * model.graph_width, num_pids, 1)
        self.embedding_dims = dict.fromkeys(("attended", "neck", "pooled"), width)
        self.loss_weights = {"identity": 1.0, "triplet": loss.triplet, "parts": 1.0, "graph": 0.0}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        embeddings = self._embeddings(self.backbone(batch.images, batch.visible)[-1])
        logits, attended_logits = (self.neck.classifier(embeddings[name]) for name in ("neck", "attended"))
        return Outputs(embeddings["pooled"], embeddings["attended"], logits, attended_logits)

    def _embeddings(self, feature_map: Tensor) -> dict[str, Tensor]:
        pooled = pool(feature_map)
        normalised = self.neck.norm(pooled)
        attended = normalised + self.part_attention(feature_map)
        return {"attended": attended, "neck": normalised, "pooled": pooled}

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        labels = batch.labels
        graph_logits = self.graph_classifier(self.graph(outputs.attended, labels), labels)
        return {
            "identity": identity_loss(outputs.logits, labels),
            "triplet": batch_hard_triplet_loss(outputs.pooled, labels, self.margin, everyone),
            "parts": identity_loss(outputs.attended_logits, labels),
            "graph": identity_loss(graph_logits, labels),
        }

    def on_epoch(self, epoch: int, history: Sequence[Mapping[str, float]]) -> None:
        """Set the graph's weight, which grows as the other losses fall; see `Method.on_epoch`."""
        others = {name: weight for name, weight in self.loss_weights.items() if name != "graph"}
        self.loss_weights["graph"] = growing_weight(history, others)

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy of the ranked embedding, and the graph's weight."""
        weight = torch.full((), self.loss_weights["graph"], device=batch.labels.device)
        return {"accuracy": top1_rate(outputs.attended_logits, batch.labels), "graph_weight": weight}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`."""
        return self._embeddings(self.backbone.maps_of(images, modality)[-1])

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)


class PartAttention(nn.Module):
    """IWPA: each strip becomes a mean of all strips of its image, weighted by likeness; then all are averaged.

    Args:
        channels: Of the map, C.
        parts: Horizontal strips, P; how much each of them counts is learnt.
    """

    def __init__(self, channels: int, parts: int):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(channels, channels) for _ in range(3))
        self.importance = nn.Parameter(torch.zeros(parts))

    def forward(self, feature_map: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C)."""
        strips = average_of_strips(feature_map, len(self.importance))
        likeness = (self.query(strips) @ self.key(strips).transpose(1, 2)).softmax(dim=2)
        return torch.einsum("p,bpc->bc", self.importance.softmax(dim=0), likeness @ self.value(strips))


class GraphLayer(IdentityGraph):
    """CGSA: what the images of an identity say of it, weighted; the heads stand in a row."""

    def forward(self, nodes: Tensor, labels: Tensor) -> Tensor:
        """(K, C) float and (K,) int64 to (K, M x D)."""
        weights, projected = self.attention(nodes, labels)
        return elu(torch.einsum("mij,jmd->imd", weights, projected)).flatten(1)
