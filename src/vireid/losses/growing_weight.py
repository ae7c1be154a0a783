"""A weight that grows while other losses fall: that of a graph among images (Ye et al., DDAG, ECCV 2020)."""

from collections.abc import Mapping, Sequence


def growing_weight(history: Sequence[Mapping[str, float]], others: Mapping[str, float]) -> float:
    """Zero in the first epoch, then 1 / (1 + the other losses, as means of the last epoch).

    Args:
        history: Mean values of every earlier epoch, by curve name.
        others: The other losses, by name, and what each counts.
    """
    if not history:
        return 0.0
    return 1 / (1 + sum(share * history[-1][f"loss/{name}"] for name, share in others.items()))
