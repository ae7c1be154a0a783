"""Centre loss (Wen et al., ECCV 2016): each identity has a centre that its embeddings are drawn to."""

import torch
from torch import Tensor, nn

from vireid.losses.gather import Gather


def centre_loss(embeddings: Tensor, labels: Tensor, centres: Tensor) -> Tensor:
    """Half the mean squared distance of an embedding from its identity's centre; zero, with graph, without rows.

    The paper's L_C (Eq. 2) is the sum over the batch; the mean keeps its weight independent of the batch's size.

    Args:
        embeddings: (B, D) float.
        labels: (B,) int64 in [0, N).
        centres: (N, D) float.

    Returns:
        Scalar, in units of the squared distance.
    """
    return (embeddings - centres[labels]).square().sum() / (2 * max(1, len(labels)))


def updated_centres(centres: Tensor, embeddings: Tensor, labels: Tensor, rate: float) -> Tensor:
    """Move each centre towards the embeddings of its identity (Eq. 4): c_j - rate * delta_j.

    delta_j is the sum of c_j - x_i over the rows i of identity j, divided by one more than their number. A centre
    stays where its identity has no rows.

    Args:
        centres: (N, D) float.
        embeddings: (B, D) float.
        labels: (B,) int64 in [0, N).
        rate: The centres' own learning rate, alpha.

    Returns:
        (N, D) float, a new tensor.
    """
    offsets = torch.zeros_like(centres).index_add(0, labels, centres[labels] - embeddings)
    counts = centres.new_zeros(len(centres)).index_add(0, labels, centres.new_ones(len(labels)))
    return centres - rate * offsets / (1 + counts)[:, None]


class Centres(nn.Module):
    """The centres of all identities, and the centre loss; in training mode they learn with every call.

    They start at zero and have no gradient. They are a buffer, saved and restored with the model's weights.

    Args:
        num_pids: Number of identities, N.
        width: Width of an embedding, D.
        rate: The centres' own learning rate, in [0, 1].
    """

    centres: Tensor

    def __init__(self, num_pids: int, width: int, rate: float):
        super().__init__()
        self.rate = rate
        self.register_buffer("centres", torch.zeros(num_pids, width))

    def forward(self, embeddings: Tensor, labels: Tensor, everyone: Gather) -> Tensor:
        """Compute the loss of this process's rows, then move the centres by the rows of all processes.

        Args:
            embeddings: (B, D) float32.
            labels: (B,) int64 in [0, N).
            everyone: Gathers rows over all processes.

        Returns:
            Scalar, attached to the graph.
        """
        loss = centre_loss(embeddings, labels, self.centres)
        if self.training:
            # In place, as a batch norm's statistics; the loss has a copy of the rows that it needs.
            with torch.no_grad():
                rows = everyone(embeddings), everyone(labels)
                self.centres.copy_(updated_centres(self.centres, *rows, self.rate))
        return loss
