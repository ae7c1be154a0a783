"""Hetero-centre triplet loss (Liu et al., IEEE Transactions on Multimedia 2020): triplets of centres."""

import torch
from torch import Tensor

from vireid.losses.gather import Gather, mean_over_everyone
from vireid.losses.triplet import hardest_hinges, pairwise_euclidean


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
    rows = all_embeddings, all_labels, all_infrared
    distances = pairwise_euclidean(centres_of((labels, infrared), rows), centres_of(rows[1:], rows))
    here = (labels[:, None] == all_labels) & (infrared[:, None] == all_infrared)
    same = labels[:, None] == all_labels
    partners = same & (infrared[:, None] != all_infrared)
    hinges, valid = hardest_hinges(distances, partners, ~same, margin)
    return mean_over_everyone(hinges, valid / here.sum(dim=1), everyone)


def centres_of(identities: tuple[Tensor, Tensor], rows: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Mean embedding of each wanted identity in one spectrum.

    Args:
        identities: Labels (R,) int64, and (R,) bool whether infrared is meant; all of them are among the rows.
        rows: Embeddings (M, D) float, their labels (M,) int64, and (M,) bool whether they are infrared.

    Returns:
        (R, D).
    """
    labels, infrared = identities
    embeddings, row_labels, row_infrared = rows
    members = (labels[:, None] == row_labels) & (infrared[:, None] == row_infrared)
    chosen = members.to(embeddings.dtype)
    return chosen @ embeddings / chosen.sum(dim=1, keepdim=True)
