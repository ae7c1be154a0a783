"""A paper's table with its numbers beside ours, in the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.text import Text
from scipy.stats import t as student

from vireid.support.files import replacing
from vireid.support.tables import NOTHING, Column, print_table

_CONFIDENCE = 0.95
_DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
_PLUS_MINUS = "\N{PLUS-MINUS SIGN}"

Units = Mapping[Any, Mapping[Any, Mapping[str, float]]]


@dataclass(frozen=True)
class ComparedRow:
    """One row.

    Attributes:
        label: Its first cell.
        paper: The paper's numbers by metric, percent; those that it does not print are absent.
        ours: Unit -> run -> metric -> percent. Units are what the spread is over; runs of one are averaged first.
            Ranks beyond the gallery are absent.
        state: What its cell of runs says.
        reference: The row that it is compared with; None for one that the others are compared with.
    """

    label: str
    paper: Mapping[str, float]
    ours: Units
    state: str
    reference: "ComparedRow | None" = None


@dataclass(frozen=True)
class ComparisonTable:
    """A table.

    Attributes:
        title: Its heading.
        metrics: The columns; rows are compared by the last one.
        rows: In the paper's order.
        notes: What must be known about the numbers, a sentence each.
    """

    title: str
    metrics: Sequence[str]
    rows: Sequence[ComparedRow]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def has_paper(self) -> bool:
        """Whether any row has a paper's numbers."""
        return any(row.paper for row in self.rows)


def paired_difference(row: Units, reference: Units, metric: str) -> tuple[float, float] | None:
    """Mean difference of two rows over the runs that both have, and half its 95 % confidence interval.

    A unit's difference is the mean of its runs'. The interval is Student's for paired samples: with n units'
    differences of standard deviation s it reaches t(n - 1) s / sqrt(n) to both sides, which for three is 2.48 s.

    Returns:
        The difference in percent and the half-width, NaN for a single unit; None if no run is common.
    """
    pairs = [
        [
            runs[run][metric] - reference[unit][run][metric]
            for run in runs
            if metric in runs[run] and metric in reference.get(unit, {}).get(run, {})
        ]
        for unit, runs in row.items()
    ]
    differences = np.array([np.mean(of_unit) for of_unit in pairs if of_unit])
    count = len(differences)
    if not count:
        return None
    if count == 1:
        return float(differences[0]), float("nan")
    error = differences.std(ddof=1) / np.sqrt(count)
    return float(differences.mean()), float(student.ppf((1 + _CONFIDENCE) / 2, count - 1) * error)


def print_comparison_table(comparison: ComparisonTable) -> None:
    """Print a table in the terminal, two lines for each row; one where no paper has numbers."""
    headings = (*_names(comparison), f"{_DELTA} {comparison.metrics[-1]}", "runs")
    columns = [Column(""), Column(""), *(Column(heading, number=True) for heading in headings)]
    count = len(comparison.metrics)
    first = 0 if comparison.has_paper else 1

    def lines(paper: str, ours: str, style: str = "") -> Text:
        both = [Text(paper), Text(ours, style)]
        return Text("\n").join(both[first:])

    rows: list[list[str | Text]] = []
    for label, *cells in _rows(comparison):
        paper, ours, (runs, paper_difference, difference) = cells[:count], cells[count:-3], cells[-3:]
        style = "bold" if difference.startswith("**") else ""
        rows.append(
            [
                label,
                lines("paper", "ours"),
                *(lines(*pair) for pair in zip(paper, ours, strict=True)),
                lines(paper_difference, difference.strip("*"), style),
                lines("", runs),
            ]
        )
    print_table(comparison.title, columns, rows, comparison.notes)


def write_comparison_table(path: Path, comparison: ComparisonTable) -> None:
    """Write a table as Markdown."""
    names, compared = _names(comparison), comparison.metrics[-1]
    headings = ["", *(f"paper {name}" for name in names), *(f"ours {name}" for name in names), "runs"]
    headings += [f"paper {_DELTA} {compared}", f"ours {_DELTA} {compared}"]
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *_rows(comparison)]
    if not comparison.has_paper:
        kept = [place for place, heading in enumerate(headings) if not heading.startswith("paper")]
        lines = [[line[place] for place in kept] for line in lines]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
    notes = "\n".join(f"- {note}" for note in comparison.notes)
    with replacing(path) as partial:
        partial.write_text(f"# {comparison.title}\n\n{table}\n\n{notes}\n", encoding="utf-8")


def _names(comparison: ComparisonTable) -> list[str]:
    return [metric.replace("rank", "rank-") for metric in comparison.metrics]


def _rows(comparison: ComparisonTable) -> list[list[str]]:
    """Text of every cell: label, paper, ours, runs, the paper's difference and ours; bold as in Markdown."""
    metrics, compared = comparison.metrics, comparison.metrics[-1]
    return [
        [
            row.label,
            *(f"{row.paper[metric]:.2f}" if metric in row.paper else NOTHING for metric in metrics),
            *(_mean_and_spread(row.ours, metric) for metric in metrics),
            row.state,
            _paper_difference(row, compared),
            _difference(row, compared),
        ]
        for row in comparison.rows
    ]


def _mean_and_spread(units: Units, metric: str) -> str:
    runs_of_units = [
        [numbers[metric] for numbers in runs.values() if metric in numbers] for runs in units.values()
    ]
    values = [np.mean(runs) for runs in runs_of_units if runs]
    if not values:
        return NOTHING
    spread = f" {_PLUS_MINUS} {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _paper_difference(row: ComparedRow, metric: str) -> str:
    reference = row.reference
    if reference is None or metric not in row.paper or metric not in reference.paper:
        return NOTHING
    return f"{row.paper[metric] - reference.paper[metric]:+.2f}"


def _difference(row: ComparedRow, metric: str) -> str:
    """Write the paired difference, in bold where its interval does not hold zero."""
    reference = row.reference
    difference = None if reference is None else paired_difference(row.ours, reference.ours, metric)
    if difference is None:
        return NOTHING
    mean, half = difference
    if np.isnan(half):
        return f"{mean:+.1f}"
    text = f"{mean:+.1f} {_PLUS_MINUS} {half:.1f}"
    return f"**{text}**" if abs(mean) > half else text
