"""Rows of a table compared run by run: paired differences, their intervals, and which rows are not told apart."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from string import ascii_lowercase
from typing import Any

import networkx
import numpy as np
from scipy.stats import t as student
from scipy.stats import ttest_1samp

LEVEL = 0.05  # probability of an error that intervals and groups allow

Units = Mapping[Any, Mapping[Any, Mapping[str, float]]]
"""Unit -> run -> metric -> percent. Units are what the spread is over; runs of one are averaged first."""


def paired_differences(row: Units, reference: Units, metric: str) -> np.ndarray:
    """Difference of two rows in each unit of which both have a run, the mean over the unit's runs.

    Returns:
        (n,) float, percent.
    """
    pairs = [
        [
            runs[run][metric] - reference[unit][run][metric]
            for run in runs
            if metric in runs[run] and metric in reference.get(unit, {}).get(run, {})
        ]
        for unit, runs in row.items()
    ]
    return np.array([np.mean(pair) for pair in pairs if pair])


def paired_difference(
    row: Units, reference: Units, metric: str, level: float = LEVEL
) -> tuple[float, float] | None:
    """Mean difference of two rows over the runs that both have, and half its confidence interval.

    The interval is Student's for paired samples: with n units' differences of standard deviation s it reaches
    t(n - 1) s / sqrt(n) to both sides, which for three and a level of 0.05 is 2.48 s.

    Args:
        row: The one.
        reference: The other.
        metric: What is compared.
        level: One minus the interval's confidence.

    Returns:
        The difference in percent and the half-width, NaN for a single unit; None if no run is common.
    """
    differences = paired_differences(row, reference, metric)
    count = len(differences)
    if not count:
        return None
    if count == 1:
        return float(differences[0]), float("nan")
    error = differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean()), float(student.ppf(1 - level / 2, count - 1) * error)


def paired_probability(row: Units, reference: Units, metric: str) -> float:
    """Probability of such a difference between equals, by the paired t test; 1 for fewer than two units."""
    differences = paired_differences(row, reference, metric)
    if len(differences) < 2 or not differences.any():
        return 1.0
    if np.ptp(differences) == 0:
        return 0.0
    return float(ttest_1samp(differences, 0).pvalue)


def holm_levels(probabilities: Sequence[float]) -> list[float]:
    """Level of each of several tests, so that all together err with a probability of `LEVEL` (Holm, 1979).

    The smallest probability has to be below LEVEL / m, the next one below LEVEL / (m - 1), and so on. From the
    first that is not on, no test counts; these have the level of that first one.
    """
    count, levels = len(probabilities), [0.0] * len(probabilities)
    failed: float | None = None
    for place, test in enumerate(np.argsort(probabilities, kind="stable")):
        level = LEVEL / (count - place) if failed is None else failed
        levels[test] = level
        if probabilities[test] >= level:
            failed = level
    return levels


def groups_of_equals(rows: Sequence[Units], metric: str) -> list[str]:
    """Give rows letters, so that two rows without a common one differ: the paired t test of all pairs, by Holm.

    Rows without runs have none. The letter `a` is that of the group of the best row, and so on.

    Args:
        rows: Numbers of each row.
        metric: What is compared.
    """
    means = {n: np.mean(units) for n, row in enumerate(rows) if (units := means_of_units(row, metric))}
    pairs = list(combinations(means, 2))
    probabilities = [paired_probability(rows[one], rows[other], metric) for one, other in pairs]
    graph = networkx.Graph()
    graph.add_nodes_from(means)
    for pair, probability, level in zip(pairs, probabilities, holm_levels(probabilities), strict=True):
        if probability >= level:
            graph.add_edge(*pair)
    cliques = sorted(
        networkx.find_cliques(graph),
        key=lambda clique: sorted((means[n] for n in clique), reverse=True),
        reverse=True,
    )
    return [
        "".join(_letter(place) for place, clique in enumerate(cliques) if n in clique) for n in range(len(rows))
    ]


def means_of_units(row: Units, metric: str) -> list[float]:
    """Mean of each unit over its runs, percent; units without a number are left out."""
    units = [[numbers[metric] for numbers in runs.values() if metric in numbers] for runs in row.values()]
    return [float(np.mean(runs)) for runs in units if runs]


def _letter(place: int) -> str:
    cycle, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] + (str(cycle) if cycle else "")
