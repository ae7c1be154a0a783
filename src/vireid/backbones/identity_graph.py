"""A graph whose nodes are images, with edges between those of one identity."""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu

SLOPE = 0.2  # of LeakyReLU, as in graph attention networks


class IdentityGraph(nn.Module):
    """The attention of a graph attention network (Velickovic et al., ICLR 2018) along these edges.

    s_ij is the softmax over j of LeakyReLU(w [h(f_i) || h(f_j)]).

    Args:
        inputs: Width C of a node f.
        width: Width D of a head's h(f).
        heads: Independent attentions M.
    """

    def __init__(self, inputs: int, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(inputs, heads * width)  # h of all heads
        self.score = nn.Parameter(torch.empty(heads, 2, width))  # w: its part for f_i, and for f_j
        for head in self.score.data:  # each w by itself: 2D values to one
            nn.init.xavier_uniform_(head.view(1, -1))

    def attention(self, nodes: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Weights s_ij, and what they are made of.

        Args:
            nodes: (K, C) float.
            labels: (K,) int64.

        Returns:
            (M, K, K) float, rows sum to 1 and are 0 at other identities; and h of each node, (K, M, D) float.
        """
        projected = self.project(nodes).unflatten(1, (self.heads, -1))
        # A part p of i plus a part of j; nodes k, heads m, channels d. (M, K) each.
        of_i, of_j = torch.einsum("kmd,mpd->pmk", projected, self.score)
        scores = leaky_relu(of_i[:, :, None] + of_j[:, None, :], SLOPE)
        return scores.masked_fill(labels[:, None] != labels, -torch.inf).softmax(dim=2), projected
