"""Fully connected layers whose weight vectors are made orthogonal (SVDNet), and what FPRnet makes of them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from vireid.support.errors import UserError


class LinearNorm(nn.Module):
    """A linear layer followed by batch normalisation, (B, inputs) to (B, outputs)."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        nn.init.kaiming_normal_(self.linear.weight, mode="fan_out")
        if bias:
            nn.init.zeros_(self.linear.bias)
        self.norm = nn.BatchNorm1d(outputs)
        nn.init.normal_(self.norm.weight, mean=1.0, std=0.01)

    def forward(self, features: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return self.norm(self.linear(features))

    def orthogonality(self) -> Tensor:
        """S(W) of the linear part."""
        return orthogonality(self.linear.weight)


class Eigenlayer(LinearNorm):
    """A linear layer whose weight vectors start orthogonal and can be made so again.

    Sun et al., "SVDNet for pedestrian retrieval" (ICCV 2017): correlated weight vectors make the entries of an
    embedding say the same thing several times. With W = U S V^T (columns = weight vectors), W is replaced by
    U S, whose columns are orthogonal. All distances between outputs of the linear part stay, as V is orthogonal;
    batch normalisation's running statistics follow over the next steps. In eval mode distances are off until they
    have settled, which takes about 60 steps: a validation right after a decorrelation misleads.

    Args:
        inputs: Width of the input.
        outputs: Width of the output, at most `inputs`: more vectors than dimensions cannot be orthogonal.

    Raises:
        UserError: If `outputs` is larger than `inputs`.
    """

    def __init__(self, inputs: int, outputs: int):
        remedy = "lower model.joint_dims or fusion_dims, or widen model.trunk or model.pyramid_width"
        require_narrowing(inputs, outputs, remedy)
        super().__init__(inputs, outputs, bias=False)
        with torch.no_grad():
            self.linear.weight.copy_(_orthogonal(self.linear.weight))

    @torch.no_grad()
    def decorrelate(self) -> None:
        """Replace W by what `decorrelated` makes of it.

        The scale of batch normalisation follows the length of the vector, or else the short ones, which say
        little, would be blown up to the size of the long ones. A vector of zeros has no length to compare with, so
        its scale stays.
        """
        weight = self.linear.weight
        lengths = weight.norm(dim=1)
        weight.copy_(decorrelated(weight))
        dead = lengths <= torch.finfo(lengths.dtype).eps * lengths.max()
        self.norm.weight.mul_(torch.where(dead, 1.0, weight.norm(dim=1) / lengths))


@torch.no_grad()
def orthogonality(weight: Tensor) -> Tensor:
    """S(W) = sum of g_ii over sum of |g_ij|, G = W^T W: 1 where orthogonal, 1 / outputs where all equal.

    Args:
        weight: (outputs, inputs), W transposed.
    """
    gram = weight @ weight.T
    return gram.diagonal().sum() / gram.abs().sum()


@torch.no_grad()
def decorrelated(weight: Tensor) -> Tensor:
    """Return U S with its columns in the order and sign of those of W that they are closest to.

    Going through the columns of W in order, each takes the column of U S with the largest absolute cosine among
    those that are left. What comes behind the layer thus goes on meaning what it meant.

    Args:
        weight: (outputs, inputs), W transposed.
    """
    replacement, result = _orthogonal(weight), torch.empty_like(weight)
    cosines = normalize(weight) @ normalize(replacement).T  # (old, new)
    free = torch.ones(len(weight), dtype=torch.bool, device=weight.device)
    for row, cosine in enumerate(cosines):
        column = cosine.abs().masked_fill(~free, -1.0).argmax()
        free[column] = False
        result[row] = torch.where(cosine[column] < 0, -replacement[column], replacement[column])
    return result


def require_narrowing(inputs: int, outputs: int, remedy: str) -> None:
    """Let the widths of a layer pass whose weight vectors can be orthogonal.

    Args:
        inputs: Width of the input.
        outputs: Number of weight vectors.
        remedy: Which parameters to change.

    Raises:
        UserError: If it has more outputs than inputs.
    """
    if outputs > inputs:
        raise UserError(
            "model",
            "a decorrelated layer is wider than its input",
            expected=f"at most {inputs} outputs",
            found=outputs,
            remedy=remedy,
        )


def _orthogonal(weight: Tensor) -> Tensor:
    """U S transposed: torch keeps W^T = V S U^T, (outputs, inputs), so that is S U^T."""
    _, singular, u_transposed = torch.linalg.svd(weight, full_matrices=False)
    return singular[:, None] * u_transposed
