"""FPRnet, the feature pyramid random fusion network (Wang et al., Opto-Electronic Engineering 47(12), 2020).

Two ResNet trunks, one per modality. Their last maps, pooled, form the joint block; a chosen multiset of pooled
pyramid vectors of both forms the fusion block. In every step the block that recognises the identities better
supplies the joint loss, and a correction term keeps joint and single-modality losses together.

    paper                 here
    C(2)..C(5)            maps
    B_R, B_I              rows of `pooled`
    P_r(k), P_i(k)        `vectors[modality][k]`
    IR-RGB block          `joint`: the pooled maps of both, through `joint_head` and `classifier`
    fusion block          `fusion`: vectors arranged by `model.fusion`, through `fusion_head`, `fusion_classifier`
    RGB, IR domain        `single`: `single_layers` and `classifier`
    U                     whichever of the two blocks wins
    SVD layer             Eigenlayer
    L_ri, L_r, L_i, L_c   losses `joint`, `visible`, `infrared`, `correction`
    lambda1..3            loss.lambda1..3

Recipe (Sec. 4.2): 288x144, ImageNet weights, SGD 0.01 lowered every 30 of 60 epochs, 32 x (1 + 1) images. What
the paper does not state is its authors' code's: momentum 0.9, Nesterov, weight decay 5e-4, padding 10, widths and
slopes of the heads, the batch normalisation behind each SVD layer, one classifier for the joint block and both
domains, which opens with a LeakyReLU of its own.

Where the paper is silent or its authors' code differs from it, `method=fprnet` and `method=fprnet_release` choose:
- loss.competition: the winner has the higher top-1 rate on the batch (`rate`); the code compares raw counts
  (`hits`), of which the fusion block has four times as many to make. Ties go to the joint block. The loser gets a
  gradient of zero; weight decay and momentum still move it, as in the code. `both` is the mean of the two losses:
  a sum would set L_ri against (L_r + L_i) / 2 on another scale (Eq. 6).
- loss.correction_gradient: the correction's gradient flows (Eq. 8 is the trained loss), with |d| clamped at 2,
  where exp would explode; the code uses the plain number, which has no gradient.
- model.upsample: "upsampled 2x" is made literal: a pooled vector becomes 2x2, four times as many values. The
  code's resize does nothing. model.single_layers: the domains have a layer each (`own`); the code sends them
  through those of the joint block (`joint`). `shared` is between the two: one layer for both domains, enlarged.
- model.svd: an SVD layer starts orthogonal, and after some epochs its W is decorrelated anew in SVDNet's cycles of
  restraint and relaxation, with lengths of ours (none in the demo); the code's is a plain linear layer with bias.
- model.pyramid_top_down: the pyramid sends smoothed maps down, as the paper says; the code's are not smoothed.
- model.rest_lr_factor: one learning rate for all, as the paper says; the code gives all but the layers and the
  classifier of the joint block a tenth.
- train: no random erasing and 60 epochs, as the paper says; the code's log has erasing at 0.2 and 81 epochs.

What Eq. (8) says of the gradient: d falls as L_ri rises, so the joint loss has the net weight
lambda1 - sign(d) exp(|d|), of which the second part is at least 1. Where a block is ahead of the domains (d > 0)
and lambda1 is at most 1, a step *ascends* L_ri: rows of Table 3 with a small lambda1 do so whenever d > 0.
`correction_gradient: false`, as in the code, has no such effect.

Ours, and off in both presets:
- loss.triplet: weight of a batch-hard triplet loss, with loss.margin, on joint embeddings of length one. It is the
  only term that compares images of the two spectra.
- loss.loser_weight: weight of the loss of the block that does not win. Without it the fusion block is not trained
  any more once the joint block wins every step, and rows that differ in the fusion block hardly differ.

Deviations of both:
- The IR-RGB block "concatenates" on the batch axis, as the code does: an image alone has no partner at test time.
- Vertical and hybrid fusion are read from Fig. 3; the code has the horizontal best set only.
- SVDNet freezes the stem, res2 and all batch normalisation while it relaxes; here everything is trained.
- Random erasing paints the mean colour; the code's paints other constants.
- The schedules `demo` and `quick` mix the colour channels of visible images (train.augmentation.channel_mix).

Without one of the blocks (Table 5) the other supplies the joint loss; without the domains there is no correction.
Ranked is the joint block's embedding; without that block `single`, that of the image's own domain, which the
shared classifier makes comparable; without either the pooled C(5).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Literal, TypeVar

import torch
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, normalize

from vireid.backbones.decorrelation import DecorrelationCycles
from vireid.backbones.eigenlayer import Eigenlayer, LinearNorm
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import TrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream, per_modality
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather, alone, mean_of_processes
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.base import Batch, Method
from vireid.methods.fprnet.competition import Rule, first_wins
from vireid.methods.fprnet.fusion import Fusion, fuse
from vireid.methods.fprnet.pyramid import FeaturePyramid, TopDown
from vireid.params import Count, NonNegative, Params, Positive, Section
from vireid.support.errors import UserError

Part = TypeVar("Part", bound=nn.Module | Tensor)

SLOPE = 0.1  # of every LeakyReLU, as in the authors' code
MAX_BIAS = 2.0  # of |d| in Eq. (7); ours
ENLARGED = 4  # values of a pooled one after "2x" upsampling from 1x1 to 2x2
ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"relu": nn.ReLU, "leaky_relu": partial(nn.LeakyReLU, SLOPE)}

Activation = Literal["relu", "leaky_relu"]
Widths = Annotated[list[Count], Field(min_length=1)]


class Svd(DecorrelationCycles):
    """The SVD layers: `orthogonal` Eigenlayers, decorrelated anew in cycles, or plain linear layers."""

    orthogonal: bool

    @field_validator("orthogonal")
    @classmethod
    def _check_orthogonal(cls, orthogonal: bool, info: ValidationInfo) -> bool:
        if info.data.get("cycles") and not orthogonal:
            raise PydanticCustomError("svd", "true, as svd.cycles is not 0")
        return orthogonal


class Architecture(Section):
    """Architecture; the blocks and the two single-modality domains can be left out, as in Table 5.

    `joint_dims` and `fusion_dims` are the widths of the SVD layers of a block, one or more (Table 6).
    """

    trunk: TrunkSettings
    joint_block: bool
    fusion_block: bool
    single_domains: bool
    joint_dims: Widths
    joint_activation: Activation
    fusion_dims: Widths
    fusion_activation: Activation
    upsample: bool
    single_layers: Literal["own", "shared", "joint"]
    svd: Svd
    pyramid_width: Count
    pyramid_top_down: TopDown
    rest_lr_factor: Positive
    fusion: Fusion

    @field_validator("fusion_block")
    @classmethod
    def _check_blocks(cls, fusion_block: bool, info: ValidationInfo) -> bool:
        if not fusion_block and not info.data.get("joint_block", True):
            raise PydanticCustomError(
                "blocks", "true, as joint_block is false: one block must supply the joint loss"
            )
        return fusion_block

    @field_validator("single_layers")
    @classmethod
    def _check_single_layers(cls, single_layers: str, info: ValidationInfo) -> str:
        if single_layers == "joint" and info.data.get("upsample"):
            raise PydanticCustomError("single", "own or shared, as upsample makes their input four times as wide")
        return single_layers


class Objective(Section):
    """Weights of the joint, visible and infrared losses (Eq. 2); the correction term (Eq. 7) has weight 1.

    `competition` chooses the block whose loss is the joint one: by top-1 `rate`, by number of `hits`, or `both`.
    `loser_weight` is the weight of the other block's loss, `triplet` that of a triplet loss with a `margin`.
    """

    lambda1: NonNegative
    lambda2: NonNegative
    lambda3: NonNegative
    competition: Rule | Literal["both"]
    correction_gradient: bool
    loser_weight: NonNegative
    triplet: NonNegative
    margin: NonNegative

    @field_validator("loser_weight")
    @classmethod
    def _check_loser(cls, weight: float, info: ValidationInfo) -> float:
        if weight and info.data.get("competition") == "both":
            raise PydanticCustomError("loser", "0, as nobody loses where competition is both")
        return weight


@dataclass
class Outputs:
    """Logits of the three predictions (Fig. 1b), for B images and N identities; None where one is left out.

    Attributes:
        joint: (B, N).
        fusion: (F, N), a row per fused vector.
        fusion_rows: (F,) int64, an image in the batch that each fused vector comes from.
        single: (B, N), from the domain of each image's modality.
        embedding: (B, D), the joint block's.
    """

    joint: Tensor | None
    fusion: Tensor | None
    fusion_rows: Tensor | None
    single: Tensor | None
    embedding: Tensor | None = None


class Classifier(nn.Module):
    """LeakyReLU and a linear layer."""

    def __init__(self, width: int, num_pids: int):
        super().__init__()
        self.linear = nn.Linear(width, num_pids)
        nn.init.normal_(self.linear.weight, std=0.001)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(B, width) to (B, N)."""
        return self.linear(leaky_relu(features, SLOPE))


class FPRNet(Method[Outputs]):
    """Two trunks, a pyramid, and three predictions that correct each other."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.model, self.loss = model, loss
        trunk = build_trunk(model.trunk)
        self.backbone = TwoStream(trunk, share_from=5)
        width, joint_width = trunk.channels[-1], model.joint_dims[-1]
        layer = Eigenlayer if model.svd.orthogonal else LinearNorm
        self.pyramids: nn.ModuleList | None = None
        self.fusion_head: nn.Sequential | None = None
        self.fusion_classifier: Classifier | None = None
        self.joint_head: nn.Sequential | None = None
        self.single_layers: nn.ModuleList | None = None
        self.classifier: Classifier | None = None
        if model.fusion_block:
            self.columns = model.fusion.columns
            levels = [{level for column in self.columns for kind, level in column if kind == m} for m in Modality]
            self.pyramids = nn.ModuleList(
                FeaturePyramid(trunk.channels, model.pyramid_width, names, model.pyramid_top_down)
                for names in levels
            )
        if model.joint_block or (model.single_domains and model.single_layers == "joint"):
            self.joint_head = _head(layer, [width, *model.joint_dims], model.joint_activation)
        if model.fusion_block:
            fused_width = model.pyramid_width * len(self.columns[0])
            self.fusion_head = _head(layer, [fused_width, *model.fusion_dims], model.fusion_activation)
            self.fusion_classifier = Classifier(model.fusion_dims[-1], num_pids)
        if model.single_domains and model.single_layers != "joint":
            enlarged = width * ENLARGED if model.upsample else width
            count = len(Modality) if model.single_layers == "own" else 1
            self.single_layers = nn.ModuleList(layer(enlarged, joint_width) for _ in range(count))
        if model.joint_block or model.single_domains:
            self.classifier = Classifier(joint_width, num_pids)

        present = {"joint": model.joint_block, "single": model.single_domains}
        learnt = [name for name, is_there in present.items() if is_there]
        self.embedding_dims = dict.fromkeys(learnt, joint_width) | {"pool5": width}
        self.loss_weights = {"joint": loss.lambda1}
        if model.single_domains:
            self.loss_weights |= {"visible": loss.lambda2, "infrared": loss.lambda3, "correction": 1.0}
        optional = {"loser": loss.loser_weight if model.joint_block and model.fusion_block else 0.0}
        optional |= {"triplet": loss.triplet if model.joint_block else 0.0}
        self.loss_weights |= {name: weight for name, weight in optional.items() if weight}

    @classmethod
    def check_recipe(cls, model: Architecture, loss: Objective, params: Params) -> None:
        """Refuse terms without their blocks, and cycles of the SVD layers that would begin after the last epoch.

        See `Embedder.check_recipe`.
        """
        needed = {"loser_weight": ("joint_block", "fusion_block"), "triplet": ("joint_block",)}
        for term, blocks in needed.items():
            if getattr(loss, term) and not all(getattr(model, block) for block in blocks):
                raise UserError(
                    f"params.yaml, loss.{term}",
                    "its block is left out",
                    expected=f"0, or {' and '.join(f'model.{block}: true' for block in blocks)}",
                    found=getattr(loss, term),
                    remedy=f"set loss.{term}: 0, or put the block in",
                )
        model.svd.require_within(params.train.epochs, "model.svd")

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        maps = self.backbone(batch.images, batch.visible)
        pooled = pool(maps[-1])
        embedding = joint = fusion = fusion_rows = single = None
        if self.model.joint_block:
            embedding = _built(self.joint_head)(pooled)
            joint = _built(self.classifier)(embedding)
        if self.model.fusion_block:
            fused, fusion_rows = self._fused(maps, batch)
            fusion = _built(self.fusion_classifier)(_built(self.fusion_head)(fused))
        if self.model.single_domains:
            branches = [partial(self._single, m) for m in Modality]
            (single,) = per_modality(branches, pooled, batch.visible)
        return Outputs(joint, fusion, fusion_rows, single, embedding)

    def _single(self, modality: Modality, pooled: Tensor) -> tuple[Tensor]:
        """Logits of one domain, (R, N)."""
        return (_built(self.classifier)(self._domain(modality, pooled)),)

    def _fused(self, maps: tuple[Tensor, ...], batch: Batch) -> tuple[Tensor, Tensor]:
        """Eq. (1), Fig. 3: fused pyramid vectors (F, height * width), and an image of each in the batch (F,)."""
        vectors = []
        for modality, pyramid in zip(Modality, _built(self.pyramids), strict=True):
            part = [level[batch.rows(modality)] for level in maps]
            vectors.append({level: pool(values) for level, values in pyramid(*part).items()})
        return fuse(vectors, self.columns, batch.visible)

    def _domain(self, modality: Modality, pooled: Tensor) -> Tensor:
        """Layers of one domain, (R, C5) to (R, D): a vector enlarged from 1x1 to 2x2, and an SVD layer."""
        if self.model.single_layers == "joint":
            return _built(self.joint_head)[:-1](pooled)
        enlarged = pooled.repeat_interleave(ENLARGED, dim=1) if self.model.upsample else pooled
        layers = _built(self.single_layers)
        return layers[modality if len(layers) > 1 else 0](enlarged)

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """Eqs. (3)-(7), none of which compares images, and the terms of ours that have a weight."""
        losses = self._paper_losses(outputs, batch, everyone)
        if "loser" in self.loss_weights:
            losses["loser"] = self._block_losses(outputs, batch.labels, everyone)[1]
        if "triplet" in self.loss_weights:
            embeddings = normalize(_built(outputs.embedding))
            losses["triplet"] = batch_hard_triplet_loss(embeddings, batch.labels, self.loss.margin, everyone)
        return losses

    def _paper_losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        joint = self._block_losses(outputs, batch.labels, everyone)[0]
        if outputs.single is None:
            return {"joint": joint}
        visible, infrared = (  # Eqs. (4) and (5)
            identity_loss(outputs.single[batch.rows(m)], batch.labels[batch.rows(m)]) for m in Modality
        )
        bias = mean_of_processes((visible + infrared) / 2 - joint, everyone).abs()  # Eq. (6)
        if self.loss.correction_gradient:
            correction = torch.exp(bias.clamp(max=MAX_BIAS))  # Eq. (7)
        else:
            correction = torch.exp(bias.detach()) + 0 * bias  # attached to the graph, with a gradient of zero
        return {"joint": joint, "visible": visible, "infrared": infrared, "correction": correction}

    def _block_losses(self, outputs: Outputs, labels: Tensor, everyone: Gather) -> tuple[Tensor, ...]:
        """Eq. (3): the loss of U, the block that wins the minimax game (Sec. 3.2); then the loser's, if any."""
        blocks = self._blocks(outputs, labels)
        first, *others = (identity_loss(*block) for block in blocks)
        if not others:
            return (first,)
        (second,) = others
        if self.loss.competition == "both":
            return ((first + second) / 2,)
        wins = first_wins(blocks[0], blocks[1], self.loss.competition, everyone)
        # What is not chosen gets a gradient of zero.
        return torch.where(wins, first, second), torch.where(wins, second, first)

    def _blocks(self, outputs: Outputs, labels: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Logits and labels of the blocks that there are, the joint one first."""
        blocks = [] if outputs.joint is None else [(outputs.joint, labels)]
        if outputs.fusion is not None:
            blocks.append((outputs.fusion, labels[outputs.fusion_rows]))
        return blocks

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracies, how often the joint block wins, and S(W) of the SVD layers."""
        blocks = self._blocks(outputs, batch.labels)
        present = {"accuracy": outputs.joint, "accuracy_fusion": outputs.fusion}
        names = [name for name, logits in present.items() if logits is not None]
        measures = {name: top1_rate(*block) for name, block in zip(names, blocks, strict=True)}
        if len(blocks) == 2 and self.loss.competition != "both":  # under `both` nobody wins
            joint, fusion = blocks
            measures["joint_wins"] = first_wins(joint, fusion, self.loss.competition, alone).float()
        return measures | {f"orthogonality/{name}": w.orthogonality() for name, w in self._layers().items()}

    def _layers(self) -> dict[str, LinearNorm]:
        """The layers that the paper calls SVD layers, by block or domain and number."""
        heads: dict[str, Iterable[nn.Module] | None] = {"joint": self.joint_head, "fusion": self.fusion_head}
        if self.single_layers is not None:
            each = [modality.name.lower() for modality in Modality]
            names = each if len(self.single_layers) > 1 else ["single"]
            heads |= {name: [layer] for name, layer in zip(names, self.single_layers, strict=True)}
        return {
            f"{name}_{number}": layer
            for name, head in heads.items()
            for number, layer in enumerate((part for part in head or () if isinstance(part, LinearNorm)), start=1)
        }

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """The joint block's, that of the image's own domain, and the pooled C(5); see `Embedder.embed`."""
        pooled = pool(self.backbone.maps_of(images, modality)[-1])
        embeddings = {}
        if self.model.joint_block:
            embeddings["joint"] = _built(self.joint_head)(pooled)
        if self.model.single_domains:
            embeddings["single"] = leaky_relu(self._domain(modality, pooled), SLOPE)
        return embeddings | {"pool5": pooled}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """Layers and classifier of the joint block, and everything else; what the cycles hold stands apart."""
        joint = {id(p) for part in (self.joint_head, self.classifier) if part for p in part.parameters()}
        held = {id(layer.linear.weight) for layer in self._eigenlayers()} if self.model.svd.cycles else set()
        groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
        for parameter in self.parameters():
            if parameter.requires_grad:
                groups.setdefault((id(parameter) in joint, id(parameter) in held), []).append(parameter)
        return [
            {"params": parameters, "lr": lr * (1.0 if is_joint else self.model.rest_lr_factor), "held": is_held}
            for (is_joint, is_held), parameters in sorted(groups.items(), key=lambda group: group[0])
        ]

    def lr_factors(self, epoch: int) -> list[float]:
        """W is held by a learning rate of zero, for which no gradient has to be switched off; see `Method`."""
        holds = self.model.svd.holds(epoch)
        return [0.0 if holds and group["held"] else 1.0 for group in self.param_groups(1.0)]

    def on_epoch(self, epoch: int, history: Sequence[Mapping[str, float]]) -> None:
        """SVDNet's cycles: decorrelate W, hold it (restraint), let it go (relaxation); see `Method.on_epoch`."""
        if self.model.svd.begins(epoch):
            for layer in self._eigenlayers():
                layer.decorrelate()

    def _eigenlayers(self) -> list[Eigenlayer]:
        return [layer for layer in self._layers().values() if isinstance(layer, Eigenlayer)]


def _built(part: Part | None) -> Part:
    """A part, or an output of one, that the architecture has wherever this is called."""
    assert part is not None
    return part


def _head(layer: type[LinearNorm], widths: list[int], activation: Activation) -> nn.Sequential:
    """SVD layers, each followed by an activation."""
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        modules += [layer(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*modules)
