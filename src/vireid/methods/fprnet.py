"""FPRnet, the feature pyramid random fusion network (Wang et al., Opto-Electronic Engineering 47(12), 2020).

Two ResNet trunks, one per modality. Their last maps, pooled, form the joint block; a chosen multiset of pooled
pyramid vectors of both forms the fusion block. In every step the block that recognises the identities better
supplies the joint loss, and a correction term keeps joint and single-modality losses together.

    paper                 here
    C(2)..C(5)            maps
    B_R, B_I              rows of `pooled`
    P_r(k), P_i(k)        rows of `vectors[k - 2]`
    IR-RGB block          `joint`: the pooled maps of both, through `joint_layer` and `classifier`
    fusion block          `fusion`: rows chosen by `model.fusion.features`, through `fusion_head`
    U                     whichever of the two wins
    SVD layer             Eigenlayer
    L_ri, L_r, L_i, L_c   losses `joint`, `visible`, `infrared`, `correction`
    lambda1..3            loss.lambda1..3

Recipe (Sec. 4.1): 288x144, ImageNet weights, SGD 0.01 lowered every 30 of 60 epochs, 32 x (1 + 1) images. What
the paper does not state is its authors' code's: momentum 0.9, Nesterov, weight decay 5e-4, padding 10, widths and
slopes of the heads, one classifier for the joint block and both branches.

Deviations, where the paper is silent or its authors' code differs from it:
- The winner is the block with the higher top-1 rate on the batch; the code compares raw counts of hits, of which
  the fusion block has four times as many to make. Ties go to the joint block. The loser gets a gradient of zero;
  weight decay and momentum still move it, as in the code.
- "Upsampled 2x" is made literal: a pooled vector becomes 2x2 and meets a layer of its own; the code's resize does
  nothing.
- The correction's gradient flows (Eq. 8 is the trained loss), with |d| clamped at 2, where exp would explode; the
  code detaches it.
- An SVD layer is orthogonal at the start and free afterwards; the code's is a plain linear layer.
- The pyramid sends smoothed maps down, as the paper says; the code sends them before smoothing.
- One learning rate for all, as the paper says; the code gives all but the joint layer and classifier a tenth.
- No random erasing and 60 epochs, as the paper says; the code's log has erasing at 0.2 and 81 epochs.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

from vireid.backbones.eigenlayer import Eigenlayer
from vireid.backbones.pooling import pool
from vireid.backbones.pyramid import FeaturePyramid
from vireid.backbones.trunks import build_trunk
from vireid.backbones.two_stream import TwoStream, per_modality
from vireid.data.records import Modality
from vireid.losses.competition import top1_rate
from vireid.losses.identity import identity_loss
from vireid.methods.base import Method
from vireid.params import NonNegative, Section

SLOPE = 0.1  # of every LeakyReLU, as in the authors' code
MAX_BIAS = 2.0
LOWEST_LEVEL = 2
MODALITY_OF_LETTER = {"r": Modality.VISIBLE, "i": Modality.INFRARED}


class Fusion(Section):
    """Which pyramid vectors form the fusion block, in the paper's notation: r5 is P_r(5).

    `horizontal` puts the vectors of the list one after another on the batch axis (Fig. 3a).
    """

    mode: Literal["horizontal"]
    features: Annotated[list[Annotated[str, Field(pattern="^[ri][2-5]$")]], Field(min_length=1)]


class Model(Section):
    """Architecture."""

    backbone: Literal["resnet10_half", "resnet18", "resnet50"]
    pretrained: bool
    last_stride: Literal[1, 2]
    pyramid_width: Annotated[int, Field(ge=1)]
    joint_dim: Annotated[int, Field(ge=1)]
    fusion_dims: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=2, max_length=2)]
    fusion: Fusion


class Loss(Section):
    """Weights of the joint, visible and infrared losses (Eq. 2); the correction term (Eq. 7) has weight 1."""

    lambda1: NonNegative
    lambda2: NonNegative
    lambda3: NonNegative


@dataclass
class Outputs:
    """Logits of the three predictions (Fig. 1b), for B images and N identities.

    Attributes:
        joint: (B, N).
        fusion: (F, N), a row per fused vector.
        fusion_rows: (F,) the image in the batch that each fused vector comes from.
        single: (B, N), from the branch of each image's modality.
    """

    joint: Tensor
    fusion: Tensor
    fusion_rows: Tensor
    single: Tensor


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


class FPRNet(Method):
    """Two trunks, a pyramid, and three predictions that correct each other."""

    Model, Loss = Model, Loss

    def __init__(self, num_pids: int, model: Model, loss: Loss):
        super().__init__()
        trunk = build_trunk(model.backbone, model.pretrained, model.last_stride)
        width = trunk.channels[-1]
        self.backbone = TwoStream(trunk, share_from=5)
        self.pyramids = nn.ModuleList(FeaturePyramid(trunk.channels, model.pyramid_width) for _ in Modality)
        self.fused = [(MODALITY_OF_LETTER[name[0]], int(name[1])) for name in model.fusion.features]

        self.joint_layer = Eigenlayer(width, model.joint_dim)
        first, second = model.fusion_dims
        self.fusion_head = nn.Sequential(
            Eigenlayer(model.pyramid_width, first),
            nn.ReLU(),
            Eigenlayer(first, second),
            nn.ReLU(),
            Classifier(second, num_pids),
        )
        self.single_layers = nn.ModuleList(Eigenlayer(4 * width, model.joint_dim) for _ in Modality)
        # One classifier for the joint block and both single-modality branches.
        self.classifier = Classifier(model.joint_dim, num_pids)

        self.embedding_dims = {"joint": model.joint_dim, "pool5": width}
        self.loss_weights = {
            "joint": loss.lambda1,
            "visible": loss.lambda2,
            "infrared": loss.lambda3,
            "correction": 1.0,
        }

    def forward(self, images: Tensor, modality: Tensor) -> Outputs:
        """See `Method.forward`."""
        maps = self.backbone(images, modality)
        pooled = pool(maps[-1])
        joint = self.classifier(self._joint(pooled))
        fused, fusion_rows = self._fuse(maps, modality)
        (single,) = per_modality([self._single(index) for index in Modality], (pooled,), modality)
        return Outputs(joint, self.fusion_head(fused), fusion_rows, single)

    def _joint(self, pooled: Tensor) -> Tensor:
        # The classifier opens with a LeakyReLU of its own, so the joint block has two, as in the authors' code.
        return leaky_relu(self.joint_layer(pooled), SLOPE)

    def _fuse(self, maps: tuple[Tensor, ...], modality: Tensor) -> tuple[Tensor, Tensor]:
        """Eq. (1) and Fig. 3a: pooled pyramid vectors (F, width) and their rows in the batch (F,)."""
        vectors = [pool(level) for level in per_modality(self.pyramids, maps, modality)]
        rows_of = [torch.nonzero(modality == index).flatten() for index in Modality]
        fused = [vectors[level - LOWEST_LEVEL][rows_of[index]] for index, level in self.fused]
        return torch.cat(fused), torch.cat([rows_of[index] for index, _ in self.fused])

    def _single(self, index: Modality):
        """Return the branch of one modality: a vector enlarged from 1x1 to 2x2, an SVD layer, the classifier."""
        layer = self.single_layers[index]
        return lambda pooled: (self.classifier(layer(pooled.repeat_interleave(4, dim=1))),)

    def losses(self, outputs: Outputs, labels: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """Eqs. (3)-(7); see `Method.losses`."""
        joint_loss = identity_loss(outputs.joint, labels)
        fusion_loss = identity_loss(outputs.fusion, labels[outputs.fusion_rows])
        # The loser's parameters get a gradient of zero.
        joint = torch.where(self._joint_wins(outputs, labels), joint_loss, fusion_loss)  # Eq. (3)
        visible, infrared = (  # Eqs. (4) and (5)
            identity_loss(outputs.single[modality == index], labels[modality == index]) for index in Modality
        )
        bias = (visible + infrared) / 2 - joint  # Eq. (6)
        correction = torch.exp(bias.abs().clamp(max=MAX_BIAS))  # Eq. (7)
        return {"joint": joint, "visible": visible, "infrared": infrared, "correction": correction}

    def _joint_wins(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The minimax game (Sec. 3.3): the block with the higher top-1 rate, the joint block where equal."""
        fusion_labels = labels[outputs.fusion_rows]
        return top1_rate(outputs.joint, labels) >= top1_rate(outputs.fusion, fusion_labels)

    def measures(self, outputs: Outputs, labels: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """Training accuracies, and how often the joint block wins the competition."""
        return {
            "accuracy": top1_rate(outputs.joint, labels),
            "accuracy_fusion": top1_rate(outputs.fusion, labels[outputs.fusion_rows]),
            "joint_wins": self._joint_wins(outputs, labels).float(),
        }

    def embed(self, images: Tensor, modality: Tensor) -> dict[str, Tensor]:
        """The joint block's embedding, which the paper ranks, and the pooled C(5); see `Method.embed`."""
        pooled = pool(self.backbone(images, modality)[-1])
        return {"joint": self._joint(pooled), "pool5": pooled}
