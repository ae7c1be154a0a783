"""What is said where a training has diverged."""

from vireid.support.errors import UserError


def diverged(where: str, what: str, values: str) -> UserError:
    """Make the error of numbers that are no longer finite.

    Args:
        where: Epoch and step.
        what: Which numbers.
        values: What they are.
    """
    return UserError(
        where,
        f"the {what} are not finite",
        expected="finite numbers",
        found=values,
        remedy="lower train.lr, set train.clip_norm, or raise train.warmup_epochs",
    )
