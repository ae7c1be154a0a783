"""HPILN's hard pentaplet loss (Zhao et al., IET Image Process. 2019): triplets of all images, and across spectra.

Each anchor makes a pentaplet with its hardest positive and negative of all images and its hardest positive and
negative of the other spectrum; the two positives may be one image, and so may the two negatives.
"""

import torch
from torch import Tensor

from vireid.losses.gather import Gather
from vireid.losses.triplet import batch_hard_triplet_loss, hard_triplet_loss, pairwise_euclidean


def pentaplet_loss(embeddings: Tensor, labels: Tensor, visible: int, margin: float, everyone: Gather) -> Tensor:
    """Hard global triplet loss plus hard cross-modality triplet loss, L_hp.

    The global one is the batch-hard triplet loss over both spectra. Its positives include the anchor, which the
    paper's do not; at distance zero it is the hardest only where it is the only one. Each of the two is a mean
    over the anchors that it has; the paper divides both sums by the 2PK rows of its batch, all of which are
    anchors of both. Where all embeddings are equal, the loss is twice the margin.

    Args:
        embeddings: (B, D) float, those of visible images first.
        labels: (B,) int64.
        visible: Number of visible images.
        margin: alpha, in units of the Euclidean distance.
        everyone: Gathers rows over all processes.

    Returns:
        Scalar, attached to the graph.
    """
    hgt = batch_hard_triplet_loss(embeddings, labels, margin, everyone)
    return hgt + hard_cross_modality_triplet_loss(embeddings, labels, visible, margin, everyone)


def hard_cross_modality_triplet_loss(
    embeddings: Tensor, labels: Tensor, visible: int, margin: float, everyone: Gather
) -> Tensor:
    """Mean of [margin + d(a, hardest positive) - d(a, hardest negative)]_+, both of the other spectrum: L_hct.

    Anchors are this process's rows; positives and negatives are taken over all processes. Anchors without a
    positive or without a negative in the other spectrum are left out; if all are, as in a batch of one spectrum,
    the result is zero, attached to the graph.

    Args:
        embeddings: (B, D) float, those of visible images first.
        labels: (B,) int64.
        visible: Number of visible images.
        margin: alpha, in units of the Euclidean distance.
        everyone: Gathers rows over all processes.
    """
    distances = pairwise_euclidean(embeddings, everyone(embeddings))
    infrared = torch.arange(len(labels), device=labels.device) >= visible
    across = infrared[:, None] != everyone(infrared)[None, :]
    same = labels[:, None] == everyone(labels)[None, :]
    return hard_triplet_loss(distances, across & same, across & ~same, margin, everyone)
