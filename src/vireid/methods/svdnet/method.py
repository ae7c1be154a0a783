"""SVDNet: a layer above the trunk whose weight vectors are made orthogonal again and again.

Sun et al., "SVDNet for pedestrian retrieval" (ICCV 2017); a row of FPRnet's Table 8. Correlated weight vectors
make the entries of an embedding say one thing several times. With W = U S V^T, W is replaced by U S: all distances
between embeddings stay, and the vectors are orthogonal. Then the network adapts, first with W held, then with W
free.

    paper                              here
    Eigenlayer, W                      `layer`, without bias, normalisation or activation behind it
    decorrelation                      `decorrelated`, at the beginning of a cycle
    restraint, relaxation              model.svd, in epochs
    S(W)                               measure `orthogonality`

Recipe (its public code): W of 1024, dropout 0.5, a plain training, then 7 cycles of restraint and relaxation; SGD,
0.001. While W is relaxed, stem, first stage and all normalisation of the trunk are held. Ranked is the
Eigenlayer's output.

Deviations:
- Lengths are in epochs: on SYSU-MM01, of 2,782 steps of 16 images each, 9 epochs are the 25,000 steps before the
  first cycle, and 3 the 8,000 of a restraint or a relaxation.
- The learning rate falls once, at the fourth cycle; the tenths within the training before the cycles are left out.
- Normalisation that is held by a learning rate of zero goes on with its running statistics.
- What comes after the last cycle trains everything; the paper ends there.
- It is a network for one spectrum and does not know that there are two.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from vireid.backbones.decorrelation import DecorrelationCycles
from vireid.backbones.eigenlayer import decorrelated, orthogonality, require_narrowing
from vireid.backbones.trunks import TunedTrunkSettings
from vireid.methods.base import Batch
from vireid.methods.classified import ClassifiedLoss, ClassifiedOutputs, OneTrunk
from vireid.params import Count, Params, Probability, Section

NORMALISATIONS = (nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm)


class Architecture(Section):
    """Architecture: width of the Eigenlayer, dropout behind it in training, and the cycles."""

    trunk: TunedTrunkSettings
    width: Count
    dropout: Probability
    svd: DecorrelationCycles


class SvdNet(OneTrunk):
    """One trunk, the Eigenlayer, and a classifier."""

    Model, Loss = Architecture, ClassifiedLoss
    one_stream = True
    layer: nn.Linear

    def __init__(self, num_pids: int, model: Architecture, loss: ClassifiedLoss):
        super().__init__(num_pids, model.trunk, model.width, new_eigenlayer, loss.label_smoothing)
        self.svd, self.dropout = model.svd, nn.Dropout(model.dropout)

    @classmethod
    def check_recipe(cls, model: Architecture, loss: ClassifiedLoss, params: Params) -> None:
        """Refuse cycles that would begin after the last epoch; see `Embedder.check_recipe`."""
        model.svd.require_within(params.train.epochs, "model.svd")

    def outputs(self, batch: Batch) -> ClassifiedOutputs:
        """See `Method.outputs`."""
        embedding = super().outputs(batch).embedding
        return ClassifiedOutputs(embedding, self.classifier(self.dropout(embedding)))

    def measures(self, outputs: ClassifiedOutputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracy, and S(W)."""
        return super().measures(outputs, batch) | {"orthogonality": orthogonality(self.layer.weight)}

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """W, what is held while W is relaxed, the rest of the trunk, and the classifier; see `Method`."""
        norms = [module for module in self.backbone.modules() if isinstance(module, NORMALISATIONS)]
        early_modules = [self.backbone.stem, self.backbone.stages[0], *norms]
        early = {id(p): p for module in early_modules for p in module.parameters()}
        late = [p for p in self.backbone.parameters() if id(p) not in early]
        groups = {"eigenlayer": [self.layer.weight], "early": [*early.values()], "late": late}
        groups |= {"classifier": [*self.classifier.parameters()]}
        rates = {"early": lr * self.lr_factor, "late": lr * self.lr_factor}
        return [{"params": params, "lr": rates.get(name, lr), "name": name} for name, params in groups.items()]

    def lr_factors(self, epoch: int) -> Sequence[float]:
        """What a cycle holds has a learning rate of zero, for which no gradient has to be switched off."""
        held = None
        if self.svd.holds(epoch):
            held = "eigenlayer"
        elif self.svd.relaxes(epoch):
            held = "early"
        return [0.0 if group["name"] == held else 1.0 for group in self.param_groups(1.0)]

    @torch.no_grad()
    def on_epoch(self, epoch: int, history: Sequence[Mapping[str, float]]) -> None:
        """Decorrelate W where a cycle begins; see `Method.on_epoch`."""
        if self.svd.begins(epoch):
            self.layer.weight.copy_(decorrelated(self.layer.weight))


def new_eigenlayer(channels: int, width: int) -> nn.Linear:
    """Return W, (B, channels) to (B, width), without bias.

    Raises:
        UserError: If it is not narrower than what it sees, as then it cannot be orthogonal.
    """
    require_narrowing(channels, width, "lower model.width, or take a wider model.trunk")
    eigenlayer = nn.Linear(channels, width, bias=False)
    nn.init.kaiming_normal_(eigenlayer.weight, mode="fan_out")
    return eigenlayer
