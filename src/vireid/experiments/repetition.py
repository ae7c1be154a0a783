"""What tells the runs of one row apart, and how that is said."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple


class Repetition(NamedTuple):
    """One of a row's runs.

    Attributes:
        seed: What the random numbers start from.
        trial: Number of the data set's split, 0 where it has only one.
    """

    seed: int
    trial: int

    def __str__(self) -> str:
        """As in the names of experiments: `s0`, or `s0-t2` where there are trials."""
        return f"s{self.seed}" + (f"-t{self.trial}" if self.trial else "")


def repetition_of(params: Mapping[str, Any]) -> Repetition | None:
    """Read it from parameters by dotted key; None where they are no whole numbers, as a failed run's may be."""
    numbers = [params.get(key) for key in ("seed", "dataset.trial")]
    return Repetition(*numbers) if all(isinstance(number, int) for number in numbers) else None


def averaged_over(repetitions: Collection[Repetition]) -> str:
    """Say what numbers of several runs are.

    >>> averaged_over([Repetition(0, 1), Repetition(0, 2)])
    'mean and standard deviation over the trials 1, 2 (seed 0)'
    """
    numbers = {"seed": seeds_of(repetitions), "trial": trials_of(repetitions)}
    varied = [f"the {kind}s {', '.join(map(str, some))}" for kind, some in numbers.items() if len(some) > 1]
    fixed = ", ".join(f"{kind} {some[0]}" for kind, some in numbers.items() if len(some) == 1)
    if not varied:
        return f"one run each ({fixed})"
    return f"mean and standard deviation over {' and '.join(varied)}" + (f" ({fixed})" if fixed else "")


def seeds_of(repetitions: Collection[Repetition]) -> list[int]:
    """Every seed once, in order."""
    return sorted({repetition.seed for repetition in repetitions})


def trials_of(repetitions: Collection[Repetition]) -> list[int]:
    """Every trial once, in order; none where the data set has only one split."""
    return sorted({repetition.trial for repetition in repetitions} - {0})
