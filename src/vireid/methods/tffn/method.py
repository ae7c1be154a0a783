"""TFFN, the two-phase feature fusion network (Cheng et al., ICIP 2021).

A ResNet whose last three stages serve both modalities. Each of them is supervised by itself. Phase one fuses their
embeddings within an image; phase two, in training only, fuses images of one identity across the modalities.

    paper                 here
    s_2, s_3, s_4         embeddings `stage2`, `stage3`, `stage4`: pooled maps through `levels`
    MLFM, S, S*, A        LevelFusion; embedding `fused`
    GLFM, h, w, s_ij      GraphFusion; `graph`
    L_i, L_m, L_g         losses `identity/<embedding>` + `triplet/<embedding>`, of the stages, `fused` and `graph`
    lambda                weight of the two losses of `graph`; curve `graph_weight`
    C, M                  model.width, model.heads

Recipe (Secs. 2.1 and 3.1): 288x144, ImageNet weights, SGD 0.01 with warm-up, a tenth from epoch 30 and a hundredth
from epoch 50 of 70, 4 identities x (4 + 4) images, random crop, flip and erasing.

Where the paper is silent:
- "The last three stages shared" leaves the stem and the first to each modality (model.trunk.share_from: 2).
- The last stride is 1, as in the works it compares with (model.trunk.last_stride).
- The fully connected layer of a stage serves both modalities. The triplet loss (margin 0.3, Euclidean, over both
  modalities) sees its output, the identity loss what a BN neck makes of it.
- MLFM's channel attention has a sixteenth of its channels in between (model.attention_reduction).
- The fused embedding is normalised for the triplet loss and for GLFM, and not again after GLFM. Its identity loss
  sees it as it was before; the BN neck makes that nearly the same (model.classify_normalised).
- LeakyReLU has a slope of 0.2 and each w starts by Xavier's rule, as in graph attention networks (Velickovic et
  al., ICLR 2018).
- What MLFM fuses is a switch (model.fuse). Sec. 2.1 calls the output of the fully connected layer s_i and knows
  no BN: `before_neck`. `behind_neck` fuses what the BN necks of the stages make of it, without the large mean that
  all images share before them; then GLFM's nodes of two identities lie further apart than the margin from the
  start, and its triplet loss is zero (see `GraphFusion`). `fc_bn` takes layer and BN for the one s_i, in the
  triplet loss too.
- The literal reading is the preset's, but in the small schedules, where held-out identities spoke for
  `behind_neck`: over trainings with and without GLFM it is better by 5.7 points of their mAP, half of the 95 %
  interval being 4.9 at most (docs/tffn.md).
- GLFM's nodes are classified behind a neck of their own, or by the classifier of the embedding that they are made
  of (model.graph_classifier: `own`, `ranked`); a neck sees as many different rows as the batch has identities.
- lambda follows DDAG (Ye et al., ECCV 2020): zero in the first epoch, then 1 / (1 + the losses but GLFM's, as
  means of the last epoch). DDAG has one such loss; of the eight here their `sum` or their `mean` is taken
  (loss.lambda_from).
- Warm-up lasts 10 epochs; Nesterov's momentum and a weight decay of 5e-4. One learning rate serves all
  (model.trunk.lr_factor).
- Crops are from 10 pixels of padding; erasing has a probability of 0.5 and paints the mean colour. An epoch shows
  as many visible images as there are, and the last epoch's weights count.
- Ranked is the fused embedding, as GLFM needs labels. Without MLFM it is the last stage's after its BN neck. The
  nodes of GLFM are the ranked embeddings, normalised.

Deviations:
- The warm-up starts at nearly zero and rises with every step; the work it cites starts at a tenth.
- The small schedules train a small trunk, with AdamW and mixed colour channels, and fuse behind the necks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.backbones.identity_graph import IdentityGraph
from vireid.backbones.neck import Neck
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
from vireid.params import Count, NonNegative, Probability, Section

STAGES = ("stage2", "stage3", "stage4")


class TffnTrunk(SharedTrunkSettings):
    """The stem is never shared, the last three stages always are."""

    share_from: Literal[1, 2]


class Architecture(Section):
    """Architecture; the switches are the rows of Table 3, whose first, B, has all three of them off.

    `deep_supervision` gives the earlier stages losses of their own, `level_fusion` is MLFM with or without
    `channel_attention`, and `graph_fusion` is GLFM with a number of `heads`. What belongs to a fusion that is
    switched off has no effect.
    """

    trunk: TffnTrunk
    width: Annotated[int, Field(ge=2, multiple_of=2)]
    deep_supervision: bool
    level_fusion: bool
    channel_attention: bool
    attention_reduction: Count
    classify_normalised: bool
    fuse: Literal["before_neck", "behind_neck", "fc_bn"]
    graph_fusion: bool
    graph_classifier: Literal["own", "ranked"]
    heads: Count

    @field_validator("level_fusion")
    @classmethod
    def _check_fusion(cls, level_fusion: bool, info: ValidationInfo) -> bool:
        if level_fusion and not info.data.get("deep_supervision", True):
            raise PydanticCustomError("fusion", "false, as deep_supervision is false: MLFM needs it")
        return level_fusion

    @field_validator("attention_reduction")
    @classmethod
    def _check_reduction(cls, reduction: int, info: ValidationInfo) -> int:
        channels = len(STAGES) * info.data.get("width", reduction)
        if reduction > channels:
            raise PydanticCustomError("reduction", "at most 3 x width, {most}", {"most": channels})
        return reduction


class Objective(Section):
    """The triplet margin and the label smoothing; all losses but GLFM's have weight 1 (Eq. 6).

    `lambda_from` says what of these losses GLFM's weight follows, their `sum` or their `mean`.
    """

    margin: NonNegative
    label_smoothing: Probability
    lambda_from: Literal["sum", "mean"]


@dataclass
class Outputs:
    """For B images and N identities, float, by name where there are several.

    Attributes:
        embeddings: (B, C), as the triplet loss sees them: before their BN necks, but for `model.fuse: fc_bn`.
        ranked: (B, C), the one that is ranked: `fused`, or the last stage after its neck.
        logits: (B, N), in the order of `TFFN.embedding_dims`.
    """

    embeddings: dict[str, Tensor]
    ranked: Tensor
    logits: dict[str, Tensor]


class LevelFusion(nn.Module):
    """MLFM: channels of all levels weighted together, then the levels added up (Eqs. 2 and 3, Fig. 3).

    Args:
        width: Channels C of a level.
        attention: Whether the channels are weighted.
        reduction: How many times fewer channels there are between the two layers of the attention.
    """

    def __init__(self, width: int, attention: bool, reduction: int):
        super().__init__()
        channels = len(STAGES) * width
        between = channels // reduction
        self.mask = None
        if attention:  # Eq. (2)
            self.mask = nn.Sequential(
                nn.Linear(channels, between), nn.ReLU(), nn.Linear(between, channels), nn.Sigmoid()
            )

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Three times (B, C) float to (B, C), not normalised."""
        joined = torch.cat(tuple(levels), dim=1)
        if self.mask is not None:
            joined = self.mask(joined) * joined + joined  # Eq. (3)
        return joined.unflatten(1, (len(levels), -1)).sum(dim=1)


class GraphFusion(IdentityGraph):
    """GLFM: each node becomes a weighted mean of the nodes of its identity, of both modalities (Eqs. 4 and 5).

    Where the scores of an identity have one sign, the part of f_i cancels in the softmax, and all nodes of the
    identity become the same mean (Brody et al., ICLR 2022). The triplet loss then only keeps the means apart, and
    is zero where they are further apart than the margin; what still teaches is the identity loss.

    Args:
        width: Channels C of a node.
        heads: Independent attentions M, whose results are averaged.
    """

    def __init__(self, width: int, heads: int):
        super().__init__(width, width // 2, heads)

    def forward(self, nodes: Tensor, labels: Tensor) -> Tensor:
        """(K, C) float and (K,) int64 to (K, C), Eq. (5)."""
        weights, _ = self.attention(nodes, labels)
        return weights.mean(dim=0) @ nodes


class TFFN(Method[Outputs]):
    """Shared stages with deep supervision, multi-level and graph-level fusion."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.model, self.loss = model, loss
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        channels = dict(zip(STAGES, self.backbone.channels[1:], strict=True))
        levels = STAGES if model.deep_supervision else STAGES[-1:]
        self.levels = nn.ModuleDict({name: nn.Linear(channels[name], model.width) for name in levels})
        ranked = [*reversed(levels)]
        if model.level_fusion:
            self.level_fusion = LevelFusion(model.width, model.channel_attention, model.attention_reduction)
            ranked = ["fused", *ranked]
        necks = list(ranked)
        if model.graph_fusion:
            self.graph_fusion = GraphFusion(model.width, model.heads)
            if model.graph_classifier == "own":
                necks = [*necks, "graph"]
        self.necks = nn.ModuleDict({name: Neck(model.width, num_pids) for name in necks})
        self.embedding_dims = dict.fromkeys(ranked, model.width)
        supervised = [*ranked, "graph"] if model.graph_fusion else ranked
        self.loss_weights = {f"{kind}/{name}": 1.0 for kind in ("identity", "triplet") for name in supervised}
        self.on_epoch(0, [])

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        before, ranked = self._embeddings(self.backbone(batch.images, batch.visible))
        logits = {name: self._neck(name).classifier(ranked[name]) for name in self.levels}
        if self.model.level_fusion:
            fused = ranked["fused"]
            logits["fused"] = self.necks["fused"](normalize(fused) if self.model.classify_normalised else fused)
        first, *_ = self.embedding_dims
        return Outputs(before, ranked[first], {name: logits[name] for name in self.embedding_dims})

    def _neck(self, name: str) -> Neck:
        neck = self.necks[name]
        assert isinstance(neck, Neck)
        return neck

    def _embeddings(self, maps: Sequence[Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Stages (Sec. 2.1) and `fused` (Sec. 2.2): as the triplet loss sees them, and as they are ranked."""
        by_stage = dict(zip(STAGES, maps[1:], strict=True))
        before = {name: layer(pool(by_stage[name])) for name, layer in self.levels.items()}
        ranked = {name: self._neck(name).norm(values) for name, values in before.items()}
        if self.model.fuse == "fc_bn":
            before = dict(ranked)
        if self.model.level_fusion:
            levels = before if self.model.fuse == "before_neck" else ranked
            before["fused"] = ranked["fused"] = self.level_fusion(list(levels.values()))
        return before, ranked

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """Both terms of Eq. (1) for the stages, `fused` and `graph`; see `Method.losses`."""
        labels, logits = batch.labels, dict(outputs.logits)
        compared = {name: outputs.embeddings[name] for name in logits}
        if self.model.level_fusion:
            compared["fused"] = normalize(compared["fused"])
        if self.model.graph_fusion:
            compared["graph"] = self.graph_fusion(normalize(outputs.ranked), labels)
            first, *_ = self.embedding_dims
            ranked = self._neck(first).classifier
            classify = self._neck("graph") if self.model.graph_classifier == "own" else ranked
            logits["graph"] = classify(compared["graph"])
        smoothing, margin = self.loss.label_smoothing, self.loss.margin
        return {f"identity/{name}": identity_loss(logits[name], labels, smoothing) for name in logits} | {
            f"triplet/{name}": batch_hard_triplet_loss(compared[name], labels, margin, everyone)
            for name in compared
        }

    def on_epoch(self, epoch: int, history: Sequence[Mapping[str, float]]) -> None:
        """Set lambda (Eq. 6), which needs no state: DDAG's rule reads the history; see `Method.on_epoch`."""
        if self.model.graph_fusion:
            others = [name for name in self.loss_weights if not name.endswith("/graph")]
            share = 1 / len(others) if self.loss.lambda_from == "mean" else 1.0
            weight = growing_weight(history, dict.fromkeys(others, share))
            self.loss_weights |= dict.fromkeys(("identity/graph", "triplet/graph"), weight)

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracies, the ranked embedding's first, and lambda."""
        measures = {f"accuracy/{name}": top1_rate(logits, batch.labels) for name, logits in outputs.logits.items()}
        if self.model.graph_fusion:
            weight = self.loss_weights["identity/graph"]
            measures["graph_weight"] = torch.full((), weight, device=batch.labels.device)
        return measures

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """`fused` as it leaves MLFM, stages after their BN necks; see `Embedder.embed`."""
        _, ranked = self._embeddings(self.backbone.maps_of(images, modality))
        return {name: ranked[name] for name in self.embedding_dims}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: the trunk, and everything new."""
        return trunk_and_new(self, self.backbone, lr, self.model.trunk.lr_factor)
