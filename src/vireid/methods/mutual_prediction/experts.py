"""The experts: a classifier of each spectrum, and what each makes of the other spectrum's images."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import kl_div

from vireid.data.records import Modality
from vireid.losses.identity import identity_loss
from vireid.methods.base import Batch

Prediction = Literal["frozen", "ema", "alternating", "symmetric"]


class Experts(nn.Module):
    """W_v and W_t, classifiers without bias, and their two losses.

    Each loss is a sum of the visible and the infrared mean; a spectrum without rows adds zero. In training mode
    the running means and the alternation advance by one step with every call.

    Args:
        width: Of the embeddings, D.
        num_pids: Identities N.
        prediction: How one spectrum's expert teaches the other's images; the method describes each.
        ema_rate: Part of an expert that its running mean takes up in a step, for `ema`.

    Attributes:
        weight: (2, N, D), the visible expert first.
        mean_weight: (2, N, D), their running means, for `ema`.
        held: 1 if the experts are held in the next step and teach, 0 if they learn; for `alternating`.
    """

    mean_weight: Tensor
    held: Tensor

    def __init__(self, width: int, num_pids: int, prediction: Prediction, ema_rate: float):
        super().__init__()
        self.prediction, self.ema_rate = prediction, ema_rate
        self.weight = nn.Parameter(torch.empty(len(Modality), num_pids, width))
        nn.init.normal_(self.weight, std=0.001)  # as the classifier of a BN neck
        if prediction == "ema":
            self.register_buffer("mean_weight", self.weight.detach().clone())
        if prediction == "alternating":
            self.register_buffer("held", torch.zeros(()))

    def forward(self, embeddings: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, D) float32 to the experts' loss on their spectrum's rows (L_spec) and on the other's (L_mut)."""
        labels = [batch.labels[batch.rows(modality)] for modality in Modality]
        fixed = self.weight.detach()
        if self.prediction == "ema":
            taught = self.judge(embeddings.detach(), batch, fixed)
            judged = self.judge(embeddings, batch, self._running_mean(), crossed=True)
            mutual = _summed(divergence, judged, taught)
        else:
            judges = self.weight if self.prediction == "symmetric" else fixed
            mutual = _summed(identity_loss, self.judge(embeddings, batch, judges, crossed=True), labels)
        learning: Tensor = self.weight
        if self.prediction == "alternating":
            held = self._alternated()
            learning = torch.where(held.bool(), fixed, self.weight)
            mutual = held * mutual
        return _summed(identity_loss, self.judge(embeddings, batch, learning), labels), mutual

    @staticmethod
    def judge(embeddings: Tensor, batch: Batch, weight: Tensor, crossed: bool = False) -> list[Tensor]:
        """Classify each spectrum's rows by its expert, or by the other one's.

        Args:
            embeddings: (B, D) float, those of the batch.
            batch: Says which rows are visible.
            weight: (2, N, D) float.
            crossed: Whether by the other one's.

        Returns:
            Logits (rows, N) of the visible and of the infrared rows.
        """
        judges = weight.flip(0) if crossed else weight
        return [embeddings[batch.rows(modality)] @ judges[modality].T for modality in Modality]

    def _running_mean(self) -> Tensor:
        """Take up the experts, and return a copy of their means, which the graph may keep."""
        if self.training:
            with torch.no_grad():
                self.mean_weight.lerp_(self.weight, self.ema_rate)
        return self.mean_weight.clone()

    def _alternated(self) -> Tensor:
        """Return a copy of `held`, and turn it over."""
        held = self.held.clone()
        if self.training:
            self.held.copy_(1 - held)
        return held


def divergence(logits: Tensor, target: Tensor) -> Tensor:
    """Mean Kullback-Leibler divergence KL(softmax(target) || softmax(logits)) over the rows, (B, N) each.

    Zero, attached to the graph, where there are no rows.
    """
    both = logits.log_softmax(dim=1), target.log_softmax(dim=1)
    return kl_div(*both, reduction="sum", log_target=True) / max(1, len(logits))


def _summed(loss: Callable[[Tensor, Tensor], Tensor], *pairs: list[Tensor]) -> Tensor:
    return torch.stack([loss(*pair) for pair in zip(*pairs, strict=True)]).sum()
