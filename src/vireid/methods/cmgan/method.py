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

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from vireid.backbones.eigenlayer import LinearNorm
from vireid.backbones.pooling import pool
from vireid.backbones.trunks import TunedTrunkSettings, build_trunk
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.losses.pentaplet import hard_cross_modality_triplet_loss
from vireid.methods.base import Batch, Method, trunk_and_new
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


@dataclass
class Outputs:
    """For B images and N identities: `embedding` (B, D), `logits` (B, N), `spectrum` (B,), above 0 if infrared."""

    embedding: Tensor
    logits: Tensor
    spectrum: Tensor


class CmGan(Method[Outputs]):
    """One network for both spectra, and a discriminator against it."""

    Model, Loss = Architecture, Objective
    one_stream = True

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.loss, self.lr_factor = loss, model.trunk.lr_factor
        self.backbone = build_trunk(model.trunk)
        self.layer = LinearNorm(self.backbone.channels[-1], model.width)
        self.classifier = nn.Linear(model.width, num_pids)
        nn.init.normal_(self.classifier.weight, std=0.001)
        hidden = model.discriminator_width
        self.discriminator = nn.Sequential(
            nn.Linear(model.width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.embedding_dims = {"embedding": model.width}
        self.loss_weights = {"identity": 1.0, "triplet": loss.triplet, "spectrum": 1.0}

    def outputs(self, batch: Batch) -> Outputs:
        """See `Method.outputs`."""
        embedding = self._embedding(batch.images)
        against: Tensor = Reversed.apply(embedding, self.loss.adversarial)
        return Outputs(embedding, self.classifier(embedding), self.discriminator(against)[:, 0])

    def _embedding(self, images: Tensor) -> Tensor:
        return self.layer(pool(self.backbone(images)[-1]))

    def losses(self, outputs: Outputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """See `Method.losses`; `spectrum` is the discriminator's binary cross-entropy."""
        compared = outputs.embedding, batch.labels, batch.visible, self.loss.margin, everyone
        return {
            "identity": identity_loss(outputs.logits, batch.labels),
            "triplet": hard_cross_modality_triplet_loss(*compared),
            "spectrum": binary_cross_entropy_with_logits(outputs.spectrum, _infrared(batch).float()),
        }

    def measures(self, outputs: Outputs, batch: Batch) -> dict[str, Tensor]:
        """Training accuracies of the classifier and of the discriminator; a half is a guess."""
        told = (outputs.spectrum > 0) == _infrared(batch)
        return {"accuracy": top1_rate(outputs.logits, batch.labels), "spectrum_told": told.float().mean()}

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`; the spectrum makes no difference."""
        return {"embedding": self._embedding(images)}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.backbone.named_stages()

    def param_groups(self, lr: float) -> list[dict[str, Any]]:
        """See `Method.param_groups`: a pretrained trunk learns more slowly than the new layers."""
        return trunk_and_new(self, self.backbone, lr, self.lr_factor)


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
