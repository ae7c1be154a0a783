"""Mutual prediction with fine-grained features: each spectrum's expert is to recognise the other's images, too.

Two stems and a shared trunk. An expert, a classifier that learns on one spectrum only, makes its embeddings tell
people apart by what that spectrum shows. Then the expert of the other spectrum judges them, and the network
learns to please it. Strips of the last map are classified and compared by themselves.

Of the paper a scan is left: abstract, settings, tables and their discussion. Its equations are lost.

    paper                              here
    E_v, E_t                           backbone: a stem of each spectrum, shared stages
    FGFL                               `fine_grained`; losses `identity/strips`, `centres/together`, `centres/each`
    W_v, W_t                           `experts`
    CMIMPL                             losses `specific` (alpha) and `mutual` (beta)
    baseline                           losses `identity/global`, `triplet`

Printed in the scan:
- Abstract: "a modal specific identity classifier" improves the features of each spectrum; "a cross learning
  mechanism" turns them into invariant ones; fine-grained learning works "from both local and global aspects".
- Sec. 4.2: images of 288x144, two random augmentations whose names are unreadable, batch size 32, SGD with a
  weight decay of 0.0005 and a learning rate of 0.1, warm-up over epochs 0 to 10, a tenth from epoch 20 and again
  from 50; alpha 12.2 and beta 0.4 on SYSU-MM01, 35 and 4 on RegDB.
- Sec. 4.5: alpha weighs what makes the encoders extract discriminative features of each spectrum and trains
  (W_v, W_t); beta weighs what makes them turn specific into invariant features.
- Sec. 4.3: AGW has "a similar" trunk, and non-local attention and GeM pooling besides.
- Table 4: three rows, the baseline, FGFL added, CMIMPL added.

Inferred, and from what:
- Stems separate, stages 1 to 4 shared, last stride 1, mean pooling, without attention: from the words on AGW. The
  BN neck, a triplet margin of 0.3, momentum 0.9 with Nesterov, 80 epochs, the trunk's rate of a tenth
  (model.trunk.lr_factor) and a warm-up in even steps are AGW's, whose other settings are those printed.
- 32 pairs of a visible and an infrared image, 8 identities x (4 + 4): the batch size 32 as AGW's loader counts.
- Crop from 10 pixels of padding, and flip: the two augmentations, as in AGW; erasing is off.
- Six strips, each pooled and narrowed to 256, with a classifier of its own, and hetero-centre triplets (Liu et
  al., 2020) of all strips in a row and of each: "local and global", and what had such strips when it was written.
- L_spec: the cross-entropy of W_v on visible and of W_t on infrared rows. L_mut: the same with experts exchanged.
  From the roles of alpha and beta.
- The experts see the global embedding behind its BN neck, at length one. With an alpha of 12.2 or 35 and a
  learning rate of 0.1, classifiers of longer vectors overshoot in their first steps.
- Ranked by the cosine is the global embedding behind its neck and all strips in a row, 2048 + 1536 (`joined`); the
  baseline ranks the first. The experts serve the training only.

How experts teach (model.prediction), which the lost text leaves open:
- `frozen`: they get no gradient of L_mut, so only the encoders move. For it speaks Sec. 4.5: alpha's loss is said
  to train the experts, beta's the network.
- `ema`: running means of the experts teach (loss.ema_rate), and L_mut is the divergence of their verdict from that
  of the image's expert. For it speaks that MPANet (Wu et al., CVPR 2021), of that time, has such experts.
- `alternating`: in every other step the experts are held and teach, in the others they learn and L_mut is zero.
  For it speaks the abstract's "cross learning mechanism"; adversarial trainings of that time alternate so.
- `symmetric`: L_mut moves the experts, too. It is the plainest code; but each expert then learns the other
  spectrum, and what it teaches is less and less its spectrum's.
- `off`: without CMIMPL.

Deviations:
- The warm-up starts at nearly zero and rises with every step.
- The small schedules train a small trunk with AdamW, mixed colour channels, four strips and narrower ones.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.backbones.fine_grained import FineGrained
from vireid.backbones.neck import Neck
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import SharedTrunkSettings, build_trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.hetero_centre import hetero_centre_triplet_loss
from vireid.losses.identity import identity_loss
from vireid.losses.triplet import batch_hard_triplet_loss
from vireid.methods.base import Batch, Method, trunk_and_new
from vireid.methods.mutual_prediction.experts import Experts
from vireid.params import Count, NonNegative, Probability, Section


class Architecture(Section):
    """Architecture; `fine_grained` and `prediction` are what Table 4 adds to the baseline.

    `strips` and `strip_width` have no effect without `fine_grained`.
    """

    trunk: SharedTrunkSettings
    fine_grained: bool
    strips: Count
    strip_width: Count
    prediction: Literal["off", "frozen", "ema", "alternating", "symmetric"]


class Objective(Section):
    """Weights of L_spec and L_mut, the triplets' margin, and the rate of the experts' running means."""

    alpha: NonNegative
    beta: NonNegative
    margin: NonNegative
    ema_rate: Probability


@dataclass
class Outputs:
    """For B images, N identities, C channels and strips of width S; float.

    Attributes:
        pooled: (B, C), what the triplet loss sees.
        neck: (B, C), after the BN neck.
        logits: (B, N), of `neck`.
        strips: (B, S) each; empty without fine-grained features.
        strip_logits: (B, N) each.
    """

    pooled: Tensor
    neck: Tensor
    logits: Tensor
    strips: list[Tensor]
    strip_logits: list[Tensor]


class MutualPrediction(Method[Outputs]):
    """Two stems and a shared trunk, with fine-grained features and experts of each spectrum."""

    Model, Loss = Architecture, Objective

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.loss, self.lr_factor = loss, model.trunk.lr_factor
        self.backbone = TwoStream(build_trunk(model.trunk), model.trunk.share_from)
        width = self.backbone.channels[-1]
        self.neck = Neck(width, num_pids)
        self.embedding_dims = {"neck": width}
        self.loss_weights = {"identity/global": 1.0, "triplet": 1.0}
        self.fine_grained, self.experts = None, None
        if model.fine_grained:
            self.fine_grained = FineGrained(width, model.strips, model.strip_width, num_pids)
            together = model.strips * model.strip_width
            self.embedding_dims = {"joined": width + together, "neck": width, "strips": together}
            self.loss_weights |= dict.fromkeys(("identity/strips", "centres/together", "centres/each"), 1.0)
        if model.prediction != "off":
            self.experts = Experts(width, num_pids, model.prediction, loss.ema_rate)
            self.loss_weights |= {"specific": loss.alpha, "mutual": loss.beta}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        return self._outputs(self.backbone(batch.images, batch.visible)[-1])

    def _outputs(self, feature_map: Tensor) -> Outputs:
        pooled = pool(feature_map)
        neck = self.neck.norm(pooled)
        strips = self.fine_grained(feature_map) if self.fine_grained else []
        strip_logits = self.fine_grained.classify(strips) if self.fine_grained else []
        return Outputs(pooled, neck, self.neck.classifier(neck), strips, strip_logits)

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`."""
        labels, margin = batch.labels, self.loss.margin
        losses = {
            "identity/global": identity_loss(outputs.logits, labels),
            "triplet": batch_hard_triplet_loss(outputs.pooled, labels, margin, everyone),
        }
        if self.fine_grained is not None:
            together, *each = (
                hetero_centre_triplet_loss(strips, labels, batch.visible, margin, everyone)
                for strips in (torch.cat(outputs.strips, dim=1), *outputs.strips)
            )
            classified = [identity_loss(logits, labels) for logits in outputs.strip_logits]
            losses |= {
                "identity/strips": torch.stack(classified).sum(),
                "centres/together": together,
                "centres/each": torch.stack(each).mean(),
            }
        if self.experts is not None:
            losses["specific"], losses["mutual"] = self.experts(normalize(outputs.neck), batch)
        return losses

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracies: of the classifier, of the strips' (their mean), of the experts and across them."""
        measures = {"accuracy/global": top1_rate(outputs.logits, batch.labels)}
        if self.fine_grained is not None:
            rates = [top1_rate(logits, batch.labels) for logits in outputs.strip_logits]
            measures["accuracy/strips"] = torch.stack(rates).mean()
        if self.experts is not None:
            for name, crossed in {"experts": False, "crossed": True}.items():
                logits = self.experts.judge(outputs.neck, batch, self.experts.weight, crossed)
                measures[f"accuracy/{name}"] = top1_rate(torch.cat(logits), batch.labels)
        return measures

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """`joined`, or `neck` alone without fine-grained features; see `Embedder.embed`."""
        outputs = self._outputs(self.backbone.maps_of(images, modality)[-1])
        if not outputs.strips:
            return {"neck": outputs.neck}
        strips = torch.cat(outputs.strips, dim=1)
        return {"joined": torch.cat([outputs.neck, strips], dim=1), "neck": outputs.neck, "strips": strips}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.stages(modality)

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)
