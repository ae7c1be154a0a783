"""HPILN, hard pentaplet and identity loss (Zhao et al., IET Image Processing 2019).

Any single-spectrum re-identification network, with all of its weights for both spectra. Its vectors are compared
by a pentaplet: an anchor, its hardest positive and negative in the whole batch, and those in the other spectrum.

    paper                              here
    FC-1                               embedding `embedding`; what is compared (NetworkOutputs.compared)
    FC-2, C                            classifiers (NetworkOutputs.logits)
    L_id                               loss `identity`
    L_hgt, L_hct (Sec. 3.3)            the two terms of `pentaplet_loss`
    L_hp, L_hpi                        loss `pentaplet`; `loss.kind`: hp, hpi
    HT, HTI, centre loss (Fig. 7)      loss `triplet`, `centre`; `loss.kind`: ht, hti, centre
    P, K                               train.num_pids, train.num_instances
    alpha                              loss.margin

Recipe (Table 1): Adam 3e-4, 10,000 steps, 8 identities x (4 + 4) images, flip and crop, ImageNet weights where a
network has them. Sizes are those of each network's preset.

Where the paper is silent (papers.md, C7, has each with its reason):
- The margin is 0.3 and the weight decay 5e-4, betas are (0.9, 0.999), the learning rate stays.
- A crop enlarges the image by an eighth with a probability of 0.5, and mirrors with 0.5 (train.augmentation).
- Of several classifiers the mean loss is taken; of several compared vectors, too (BFE: both branches; HACNN:
  global and local).
- Vectors are compared and ranked as they are. Only PCB's parts have length one, and HACNN's branches in retrieval.
- Ranked is what Table 1 gives a width for. BFE's 1024 are its erasing branch; model.bfe.concatenate adds the
  other.
- The trunks start from ImageNet weights. MLFN, HACNN and MuDeep stand on none and start from a random state, or
  from a file that model.weights names.
- "Center loss" is the identity loss and 0.003 times the mean centre loss, as in its own paper (Wen et al., ECCV
  2016): alone it is smallest where all embeddings are one.

Deviations:
- The printed condition "a >= K" of L_hct counts one image too many; a > K is meant.
- The small schedules train small networks and mixed colour channels.
"""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from vireid.backbones.trunks import TrunkSettings
from vireid.data.records import Modality
from vireid.losses.accuracy import top1_rate
from vireid.losses.centre import Centres
from vireid.losses.gather import Gather
from vireid.losses.identity import identity_loss
from vireid.losses.pentaplet import pentaplet_loss
from vireid.losses.triplet import batch_hard_triplet_loss, pairwise_euclidean
from vireid.methods.base import Batch, Method
from vireid.methods.hpiln.architecture import NETWORKS, WITHOUT_TRUNK, Architecture, build_network
from vireid.methods.hpiln.networks.base import NetworkOutputs
from vireid.methods.hpiln.weights import load_network_weights
from vireid.params import NonNegative, Params, Probability, Section
from vireid.support.errors import UserError

TERMS = {
    "identity": ("identity",),
    "centre": ("identity", "centre"),
    "ht": ("triplet",),
    "hti": ("triplet", "identity"),
    "hp": ("pentaplet",),
    "hpi": ("pentaplet", "identity"),
}


class Objective(Section):
    """Which losses are added up, and their settings.

    Attributes:
        kind: One of Fig. 7's six.
        margin: alpha of the triplet and pentaplet losses, in units of the distance.
        centre_weight: Of the centre loss.
        centre_rate: The centres' own learning rate.
    """

    kind: Literal["identity", "centre", "ht", "hti", "hp", "hpi"]
    margin: NonNegative
    centre_weight: NonNegative
    centre_rate: Probability


class Hpiln(Method[NetworkOutputs]):
    """One network for both spectra."""

    Model, Loss = Architecture, Objective
    one_stream = True

    def __init__(self, num_pids: int, model: Architecture, loss: Objective):
        super().__init__()
        self.loss = loss
        self.network = build_network(num_pids, model)
        if model.weights is not None:
            load_network_weights(self.network, model.weights)
        self.takes_only = self.network.takes_only
        self.embedding_dims = {"embedding": self.network.embedding_dim}
        weights = {"centre": loss.centre_weight}
        self.loss_weights = {term: weights.get(term, 1.0) for term in TERMS[loss.kind]}
        self.centres = nn.ModuleList()
        if "centre" in self.loss_weights:
            self.centres.extend(Centres(num_pids, width, loss.centre_rate) for width in self.network.compared_dims)
        if "identity" not in self.loss_weights:
            for module in self.network.only_for_identities():
                module.requires_grad_(False)

    @classmethod
    def check_recipe(cls, model: Architecture, loss: Objective, params: Params) -> None:
        """Refuse images of another size than the one that the network takes; see `Embedder.check_recipe`."""
        only, size = NETWORKS[model.network].takes_only, (params.ingest.height, params.ingest.width)
        if only is not None and size != only:
            raise UserError(
                "params.yaml, ingest",
                f"the network {model.network} takes images of one size only",
                expected=f"height: {only[0]}, width: {only[1]}",
                found=f"height: {size[0]}, width: {size[1]}",
                remedy=f"vireid preset method=hpiln_{model.network}, or choose another model.network",
            )

    @classmethod
    def trunk_of(cls, model: Architecture) -> TrunkSettings | None:
        """None for the three networks that stand on no trunk; see `Embedder.trunk_of`."""
        return model.trunk if model.network not in WITHOUT_TRUNK else None

    def outputs(self, batch: Batch) -> NetworkOutputs:
        """See `Method.outputs`."""
        outputs: NetworkOutputs = self.network(batch.images)
        return outputs

    def losses(self, outputs: NetworkOutputs, batch: Batch, everyone: Gather) -> dict[str, Tensor]:
        """The terms of `loss.kind`, each the mean over the network's classifiers or vectors."""
        labels, margin = batch.labels, self.loss.margin
        compare: dict[str, Callable[[Tensor], Tensor]] = {
            "triplet": lambda vectors: batch_hard_triplet_loss(vectors, labels, margin, everyone),
            "pentaplet": lambda vectors: pentaplet_loss(vectors, labels, batch.visible, margin, everyone),
        }
        losses = {}
        for term in self.loss_weights:
            if term == "identity":
                values = [identity_loss(logits, labels) for logits in outputs.logits]
            elif term == "centre":
                values = [
                    centres(vectors, labels, everyone)
                    for centres, vectors in zip(self.centres, outputs.compared, strict=True)
                ]
            else:
                values = [compare[term](vectors) for vectors in outputs.compared]
            losses[term] = torch.stack(values).mean()
        return losses

    def measures(self, outputs: NetworkOutputs, batch: Batch) -> dict[str, Tensor]:
        """Rank-1 across the spectra within the batch, and the mean accuracy of the classifiers if they learn."""
        measures = {"cross_rank1": _cross_rank1(outputs.embedding, batch)}
        if "identity" in self.loss_weights:
            rates = [top1_rate(logits, batch.labels) for logits in outputs.logits]
            measures["accuracy"] = torch.stack(rates).mean()
        return measures

    def embed(self, images: Tensor, modality: Modality) -> dict[str, Tensor]:
        """See `Embedder.embed`; the spectrum makes no difference."""
        return {"embedding": self.network(images).embedding}

    def explained_layers(self, modality: Modality) -> dict[str, nn.Module]:
        """See `Embedder.explained_layers`."""
        return self.network.explained_layers()


def _cross_rank1(embeddings: Tensor, batch: Batch) -> Tensor:
    """Share of images whose nearest image of the other spectrum shows the same identity; 0 without one."""
    visible, infrared = (batch.rows(modality) for modality in Modality)
    if not batch.visible or batch.visible == len(batch.labels):
        return torch.zeros((), device=batch.labels.device)
    distances = pairwise_euclidean(embeddings[visible], embeddings[infrared])
    labels = batch.labels
    hits = (
        labels[infrared][distances.argmin(dim=1)] == labels[visible],
        labels[visible][distances.argmin(dim=0)] == labels[infrared],
    )
    return torch.cat(hits).float().mean()
