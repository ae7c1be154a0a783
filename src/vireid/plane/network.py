"""HPILN's toy network (Fig. 6): Res-Mid with a layer of two outputs before its classifier."""

from torch import Tensor, nn

from vireid.backbones.trunks import TrunkSettings
from vireid.methods.hpiln.networks.res_mid import ResMid


class PlaneNetwork(nn.Module):
    """Embeds images in the plane.

    Args:
        num_pids: Identities N.
        trunk: What Res-Mid stands on.
        settings: Res-Mid's.
    """

    def __init__(self, num_pids: int, trunk: TrunkSettings, settings: ResMid.Settings):
        super().__init__()
        self.network = ResMid(num_pids, trunk, settings)
        self.network.classifiers.requires_grad_(False)  # its own are not used
        self.to_plane = nn.Linear(self.network.embedding_dim, 2)
        self.classifier = nn.Linear(2, num_pids)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) float, normalised, to points (B, 2) and logits (B, N)."""
        points = self.to_plane(self.network(images).embedding)
        return points, self.classifier(points)
