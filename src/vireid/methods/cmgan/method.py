"""cmGAN: embeddings from which a discriminator cannot tell the spectrum.

Dai et al., "Cross-modality person re-identification with generative adversarial training" (IJCAI 2018); a row in
the tables of FPRnet, HPILN and mutual prediction. The generator is the network that embeds images, the
discriminator a small classifier that tells visible from infrared embeddings. Each learns against the other.

    paper                              here
    generator                          `backbone`, `layer`
    L_id, L_tri (cross-modality)       losses `identity`, `triplet`
    discriminator, L_modality          `discriminator`, loss `spectrum`

Recipe: one network for both spectra from ImageNet weights, triplets across the spectra, a discriminator of three
layers.

Deviations:
- The paper moves generator and discriminator in turns. Here one step moves both: the discriminator goes down the
  gradient of its loss, and the network up that gradient, times loss.adversarial (Ganin and Lempitsky, ICML 2015).
- Margin, weights and the discriminator's width are ours; optimiser and schedule are the plain baseline's.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vireid.backbones.trunks import TunedTrunkSettings
from vireid.losses.gather import Gather
from vireid.losses.pentaplet import hard_cross_modality_triplet_loss
from vireid.methods.base import Batch
from vireid.methods.classified import ClassifiedOutputs, OneTrunk
from vireid.params import Count, NonNegative, Section


class Architecture(Section):
    """Architecture; widths of the embedding and of the discriminator's two hidden layers."""

    trunk: TunedTrunkSettings
    width: Count
    discriminator_width: Count


class Objective(Section):
    """Weight and margin of the triplet loss, and the part of the discriminator's gradient that the network climbs.

    The identity loss and the discriminator's own loss have weight 1.
    """

    triplet: NonNegative
    margin: NonNegative
    adversarial: NonNegative


class CmGan(OneTrunk):
    """One network for both spectra, and a discriminator against it."""

    Model, Loss = Architecture, Objective
    one_stream = True

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__(num_pids, model.trunk, model.width)
        self.loss, hidden = loss, model.discriminator_width
        self.discriminator = nn.Sequential(
            nn.Linear(model.width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.loss_weights = {"identity": 1.0, "triplet": loss.triplet, "spectrum": 1.0}

    def losses(self, outputs: ClassifiedOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`; `spectrum` is the discriminator's binary cross-entropy."""
        compared = outputs.embedding, batch.labels, batch.visible, self.loss.margin, everyone
        against: Tensor = Reversed.apply(outputs.embedding, self.loss.adversarial)
        told = self.discriminator(against)[:, 0]
        return super().losses(outputs, batch, everyone) | {
            "triplet": hard_cross_modality_triplet_loss(*compared),
            "spectrum": binary_cross_entropy_with_logits(told, _infrared(batch).to(told)),
        }

    def measures(self, outputs: ClassifiedOutputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracies of the classifier and of the discriminator; a half is a guess."""
        told = (self.discriminator(outputs.embedding)[:, 0] > 0) == _infrared(batch)
        return super().measures(outputs, batch) | {"spectrum_told": told.float().mean()}


class Reversed(torch.autograd.Function):
    """The identity, whose gradient is turned round and scaled."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: float) -> Tensor:
        """Return the values."""
        ctx.scale = scale
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient times minus the scale."""
        return -ctx.scale * gradient, None


def _infrared(batch: Batch) -> Tensor:
    """(B,) bool."""
    return torch.arange(len(batch.labels), device=batch.labels.device) >= batch.visible
