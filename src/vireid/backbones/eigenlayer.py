"""The decorrelated fully connected layer that FPRnet calls an SVD layer."""

import torch
from torch import Tensor, nn

from vireid.support.errors import UserError


class Eigenlayer(nn.Module):
    """A linear layer whose weight vectors start orthogonal, followed by batch normalisation.

    Sun et al., "SVDNet for pedestrian retrieval" (ICCV 2017): correlated weight vectors make the entries of an
    embedding say the same thing several times. With W = U S V^T (columns = weight vectors), W is replaced by
    U S, whose columns are orthogonal.

    Args:
        inputs: Width of the input.
        outputs: Width of the output, at most `inputs`: more vectors than dimensions cannot be orthogonal.

    Raises:
        UserError: If `outputs` is larger than `inputs`.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        if outputs > inputs:
            raise UserError(
                "model",
                "a decorrelated layer is wider than its input",
                expected=f"at most {inputs} outputs",
                found=outputs,
                remedy="lower model.joint_dim or model.fusion_dims, or choose a wider model.backbone",
            )
        self.linear = nn.Linear(inputs, outputs, bias=False)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
        self.norm = nn.BatchNorm1d(outputs)
        nn.init.normal_(self.norm.weight, mean=1.0, std=0.01)
        self.decorrelate()

    @torch.no_grad()
    def decorrelate(self) -> None:
        """Replace W by U S; all distances between outputs of the linear part stay, as V is orthogonal."""
        # torch keeps W^T = V S U^T, (outputs, inputs), so U S transposed is S U^T.
        _, singular, u_transposed = torch.linalg.svd(self.linear.weight, full_matrices=False)
        self.linear.weight.copy_(singular[:, None] * u_transposed)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return self.norm(self.linear(features))
