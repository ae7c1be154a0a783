"""A paper's table with its numbers beside ours, in the terminal and as Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.text import Text

from vireid.experiments.pairing import (
    LEVEL,
    Units,
    holm_levels,
    means_of_units,
    paired_difference,
    paired_probability,
)
from vireid.support.files import replacing
from vireid.support.tables import NOTHING, Column, markdown_table, print_table

_DELTA = "\N{GREEK CAPITAL LETTER DELTA}"
_PLUS_MINUS = "\N{PLUS-MINUS SIGN}"


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
        facts: What else is to be told of it, text by heading; the same headings in all rows.
    """

    label: str
    paper: Mapping[str, float]
    ours: Units
    state: str
    reference: "ComparedRow | None" = None
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ComparisonTable:
    """A table.

    Attributes:
        title: Its heading.
        metrics: The columns; rows are compared by the last one.
        rows: In the paper's order.
        notes: What must be known about the numbers, a sentence each.
        corrected: Whether the intervals' levels are corrected for the number of rows with a reference (Holm).
    """

    title: str
    metrics: Sequence[str]
    rows: Sequence[ComparedRow]
    notes: Sequence[str] = field(default_factory=tuple)
    corrected: bool = False

    @property
    def has_paper(self) -> bool:
        """Whether any row has a paper's numbers."""
        return any(row.paper for row in self.rows)

    @property
    def facts(self) -> list[str]:
        """Headings of what else is told."""
        return list(self.rows[0].facts) if self.rows else []

    def levels(self) -> list[float]:
        """One minus the confidence of each row's interval."""
        if not self.corrected:
            return [LEVEL] * len(self.rows)
        metric = self.metrics[-1]
        probabilities = {
            n: paired_probability(row.ours, row.reference.ours, metric)
            for n, row in enumerate(self.rows)
            if row.reference is not None
        }
        corrected = dict(zip(probabilities, holm_levels(list(probabilities.values())), strict=True))
        return [corrected.get(n, LEVEL) for n in range(len(self.rows))]


def print_comparison_table(comparison: ComparisonTable) -> None:
    """Print a table in the terminal, two lines for each row; one where no paper has numbers."""
    headings = (*_names(comparison), f"{_DELTA} {comparison.metrics[-1]}", "runs", *comparison.facts)
    columns = [Column(""), Column(""), *(Column(heading, number=True) for heading in headings)]
    count = len(comparison.metrics)
    first = 0 if comparison.has_paper else 1

    def lines(paper: str, ours: str, style: str = "") -> Text:
        both = [Text(paper), Text(ours, style)]
        return Text("\n").join(both[first:])

    rows: list[list[str | Text]] = []
    for label, *cells in _rows(comparison):
        paper, ours, rest = cells[:count], cells[count : 2 * count], cells[2 * count :]
        runs, paper_difference, difference, *facts = rest
        style = "bold" if difference.startswith("**") else ""
        rows.append(
            [
                label,
                lines("paper", "ours"),
                *(lines(*pair) for pair in zip(paper, ours, strict=True)),
                lines(paper_difference, difference.strip("*"), style),
                lines("", runs),
                *(lines("", fact) for fact in facts),
            ]
        )
    print_table(comparison.title, columns, rows, comparison.notes)


def write_comparison_table(path: Path, comparison: ComparisonTable) -> None:
    """Write a table as Markdown, without the papers' columns in which none has a number."""
    names, compared = _names(comparison), comparison.metrics[-1]
    headings = ["", *(f"paper {name}" for name in names), *(f"ours {name}" for name in names), "runs"]
    headings += [f"paper {_DELTA} {compared}", f"ours {_DELTA} {compared}", *comparison.facts]
    rows = _rows(comparison)
    kept = [
        place
        for place, heading in enumerate(headings)
        if not heading.startswith("paper") or any(row[place] != NOTHING for row in rows)
    ]
    lines = [headings, ["---", *["---:"] * (len(headings) - 1)], *rows]
    lines = [[line[place] for place in kept] for line in lines]
    notes = "\n".join(f"- {note}" for note in comparison.notes)
    with replacing(path) as partial:
        partial.write_text(f"# {comparison.title}\n\n{markdown_table(lines)}\n\n{notes}\n", encoding="utf-8")


def _names(comparison: ComparisonTable) -> list[str]:
    return [metric.replace("rank", "rank-") for metric in comparison.metrics]


def _rows(comparison: ComparisonTable) -> list[list[str]]:
    """Text of every cell: label, paper, ours, runs, both differences, facts; bold as in Markdown."""
    metrics, compared = comparison.metrics, comparison.metrics[-1]
    return [
        [
            row.label,
            *(f"{row.paper[metric]:.2f}" if metric in row.paper else NOTHING for metric in metrics),
            *(_mean_and_spread(row.ours, metric) for metric in metrics),
            row.state,
            _paper_difference(row, compared),
            _difference(row, compared, level),
            *row.facts.values(),
        ]
        for row, level in zip(comparison.rows, comparison.levels(), strict=True)
    ]


def _mean_and_spread(units: Units, metric: str) -> str:
    values = means_of_units(units, metric)
    if not values:
        return NOTHING
    spread = f" {_PLUS_MINUS} {np.std(values, ddof=1):.1f}" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def _paper_difference(row: ComparedRow, metric: str) -> str:
    reference = row.reference
    if reference is None or metric not in row.paper or metric not in reference.paper:
        return NOTHING
    return f"{row.paper[metric] - reference.paper[metric]:+.2f}"


def _difference(row: ComparedRow, metric: str, level: float) -> str:
    """Write the paired difference, in bold where its interval does not hold zero."""
    reference = row.reference
    difference = None if reference is None else paired_difference(row.ours, reference.ours, metric, level)
    if difference is None:
        return NOTHING
    mean, half = difference
    if np.isnan(half):
        return f"{mean:+.1f}"
    text = f"{mean:+.1f} {_PLUS_MINUS} {half:.1f}"
    return f"**{text}**" if abs(mean) > half else text
