"""Hetero-centre triplet loss (Liu et al., IEEE Transactions on Multimedia 2020): triplets of centres."""

import torch
from torch import Tensor

from vireid.losses.gather import Gather
from vireid.losses.triplet import pairwise_euclidean


def hetero_centre_triplet_loss(
    embeddings: Tensor, labels: Tensor, visible: int, margin: float, everyone: Gather
) -> Tensor:
    """Mean of [margin + d(centre, its partner in the other spectrum) - d(centre, nearest of another identity)]_+.

    A centre is the mean of all embeddings that an identity has in one spectrum, over all processes; the nearest
    one of another identity may be of either spectrum. Each centre counts once, however many embeddings it has. A
    centre whose identity lacks the other spectrum, or that is of the only identity, is left out; without any the
    result is zero, attached to the graph.

    Args:
        embeddings: (B, D) float, those of visible images first.
        labels: (B,) int64.
        visible: Number of visible images.
        margin: In units of the Euclidean distance.
        everyone: Gathers rows over all processes.

    Returns:
        Scalar, attached to the graph; the margin where all embeddings are equal.
    """
    infrared = torch.arange(len(labels), device=labels.device) >= visible
    all_embeddings, all_labels, all_infrared = everyone(embeddings), everyone(labels), everyone(infrared)
    # One centre for each row, the same for all rows of an identity in a spectrum.
    members = (all_labels[:, None] == all_labels) & (all_infrared[:, None] == all_infrared)
    all_centres = _means(members, all_embeddings)
    here = (labels[:, None] == all_labels) & (infrared[:, None] == all_infrared)
    distances = pairwise_euclidean(_means(here, all_embeddings), all_centres)
    same = labels[:, None] == all_labels
    partners = same & (infrared[:, None] != all_infrared)
    positive = distances.masked_fill(~partners, 0).amax(dim=1)
    negative = distances.masked_fill(same, torch.inf).amin(dim=1)
    valid = partners.any(dim=1) & ~same.all(dim=1)
    weight = valid / here.sum(dim=1)
    hinge = (margin + positive - negative).relu()
    return (hinge * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)


def _means(members: Tensor, embeddings: Tensor) -> Tensor:
    """(R, M) bool and (M, D) float to (R, D): the mean of each row's members; each has at least one."""
    chosen = members.to(embeddings.dtype)
    return chosen @ embeddings / chosen.sum(dim=1, keepdim=True)
