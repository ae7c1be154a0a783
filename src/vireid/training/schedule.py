"""The learning rate over the epochs, as a pure function, so that a resumed training needs no state for it."""

import math

from vireid.params import Train


def lr_factor(settings: Train, progress: float) -> float:
    """Factor on every group's learning rate.

    Args:
        settings: Linear warm-up over `warmup_epochs`, then `cosine` to zero at the last epoch, or `step`: times
            `gamma` from each of the `milestones` on.
        progress: Epochs done when the step is over, with fraction; never zero.
    """
    warmup = min(1.0, progress / settings.warmup_epochs) if settings.warmup_epochs else 1.0
    if settings.schedule == "step":
        return warmup * settings.gamma ** sum(progress > milestone for milestone in settings.milestones)
    rest = settings.epochs - settings.warmup_epochs
    done = max(0.0, progress - settings.warmup_epochs) / max(1, rest)
    return warmup * (1 + math.cos(math.pi * min(1.0, done))) / 2
