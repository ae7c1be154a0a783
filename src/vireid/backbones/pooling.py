"""Global pooling: a feature map to one vector."""

from typing import Literal

import torch
from torch import Tensor

Pooling = Literal["average", "gem"]
# Generalised mean pooling's exponent (Radenovic et al., TPAMI 2019), fixed as in the AGW baseline.
GEM_EXPONENT = 3.0


def pool(feature_map: Tensor, kind: Pooling = "average") -> Tensor:
    """(B, C, H, W) to (B, C): the mean, or the generalised mean (mean of x^3)^(1/3) over positive activations."""
    if kind == "average":
        return feature_map.mean(dim=(2, 3))
    precise = feature_map.to(torch.promote_types(feature_map.dtype, torch.float32))
    return precise.clamp(min=1e-6).pow(GEM_EXPONENT).mean(dim=(2, 3)).pow(1 / GEM_EXPONENT)
