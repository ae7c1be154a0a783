"""What tells the runs of one row apart, and how that is said."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple, TypeVar

Numbers = TypeVar("Numbers")


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
    seed, trial = (params.get(key) for key in ("seed", "dataset.trial"))
    return Repetition(seed, trial) if isinstance(seed, int) and isinstance(trial, int) else None


def averaged_over(repetitions: Collection[Repetition]) -> str:
    """Say what numbers of several runs are.

    >>> averaged_over([Repetition(0, 1), Repetition(0, 2)])
    'mean and standard deviation over the trials 1, 2 (seed 0)'
    """
    numbers = {"trial": trials_of(repetitions), "seed": seeds_of(repetitions)}
    varied = [f"the {kind}s {', '.join(map(str, values))}" for kind, values in numbers.items() if len(values) > 1]
    fixed = ", ".join(f"{kind} {values[0]}" for kind, values in numbers.items() if len(values) == 1)
    if not varied:
        return f"one run each ({fixed})"
    over = "mean and standard deviation over " + ", each the mean over ".join(varied)
    return f"{over} ({fixed})" if fixed else over


def by_unit(runs: Mapping[Repetition, Numbers], by_trial: bool) -> dict[int, dict[Repetition, Numbers]]:
    """Group the runs of a row by what its spread is over: by trial where a table has several, else by seed.

    Runs of one trial share their images, so they count as one: with three seeds on each of two trials, and trials
    that matter as much as seeds, an interval from six runs would hold the truth 82 times in 100, not 95.
    """
    units: dict[int, dict[Repetition, Numbers]] = {}
    for repetition, numbers in sorted(runs.items()):
        units.setdefault(repetition.trial if by_trial else repetition.seed, {})[repetition] = numbers
    return units


def seeds_of(repetitions: Collection[Repetition]) -> list[int]:
    """Every seed once, in order."""
    return sorted({repetition.seed for repetition in repetitions})


def trials_of(repetitions: Collection[Repetition]) -> list[int]:
    """Every trial once, in order; none where the data set has only one split."""
    return sorted({repetition.trial for repetition in repetitions} - {0})
