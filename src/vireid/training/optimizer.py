"""The optimiser of a recipe."""

import torch

from vireid.methods.base import Method
from vireid.params import Train
from vireid.support.errors import UserError

# Adam adds its weight decay to the gradient, AdamW takes it off the weights.
_ADAMS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def build_optimizer(method: Method, settings: Train) -> torch.optim.Optimizer:
    """Build the optimiser of a recipe over a method's groups of parameters.

    Raises:
        UserError: If Nesterov's method is asked for without a momentum.
    """
    groups = method.param_groups(settings.lr)
    if settings.optimizer in _ADAMS:
        return _ADAMS[settings.optimizer](groups, settings.lr, weight_decay=settings.weight_decay)
    if settings.nesterov and not settings.momentum:
        raise UserError(
            "train.nesterov",
            "Nesterov's method needs a momentum",
            expected="train.momentum above 0",
            found=settings.momentum,
            remedy="raise train.momentum, or set train.nesterov: false",
        )
    return torch.optim.SGD(
        groups,
        settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
    )
