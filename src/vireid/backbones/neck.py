"""The BN neck: batch normalisation between the embedding that is compared and the one that is classified."""

from torch import Tensor, nn


class Neck(nn.Module):
    """Batch normalisation without bias, and a linear classifier without bias (Luo et al., CVPRW 2019).

    Args:
        width: Channels D of the embedding.
        num_pids: Identities N.

    Attributes:
        norm: (B, D) float to (B, D).
        classifier: (B, D) float to (B, N).
    """

    def __init__(self, width: int, num_pids: int):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.norm.bias.requires_grad_(False)
        self.classifier = nn.Linear(width, num_pids, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, D) float to logits (B, N)."""
        return self.classifier(self.norm(embeddings))
