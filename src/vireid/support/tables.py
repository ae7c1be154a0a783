"""The tables that commands and stages print: names fold where the terminal is narrow, numbers are never cut.

And tables of Markdown.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from vireid.support.text import fold, printable

NOTHING = "\N{EN DASH}"  # in the place of a number that there is not
_NARROWEST = 12  # places in the terminal that a column of names keeps
_GAP = 2  # places between two columns
_EDGES = 2  # places at both sides of the table


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        heading: What stands above it.
        number: Whether it holds numbers, which stand at its right and are never folded, or names, which are.
    """

    heading: str
    number: bool = False


def print_table(
    title: str, columns: Sequence[Column], rows: Sequence[Sequence[str | Text]], notes: Sequence[str] = ()
) -> None:
    """Print a table, no wider than the terminal as long as its names can fold; a file or pipe gets whole lines.

    Where the numbers alone need more than the terminal has, the table is wider than the terminal.

    Args:
        title: What stands above it. A user's text, as every str here: none is read as markup.
        columns: Its columns.
        rows: A cell for each column: a str is one line, a `Text` of our own may have lines and styles.
        notes: What stands below it, a line each.
    """
    console = Console(markup=False, emoji=False, highlight=False)
    bounded = (
        console.is_terminal or "COLUMNS" in os.environ
    )  # whoever exports COLUMNS wants that width in a pipe too
    cells = [[Text(printable(cell)) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = column_widths(columns, cells, console.width if bounded else None)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for column, width in zip(columns, widths, strict=True):
        heading = Text(column.heading if column.number else _folded(column.heading, width))
        table.add_column(heading, justify="right" if column.number else "left", width=width, no_wrap=True)
    for row in cells:
        table.add_row(
            *(
                cell if column.number else Text(_folded(cell.plain, width), cell.style)
                for column, width, cell in zip(columns, widths, row, strict=True)
            )
        )
    console.print(Text(printable(title), "bold"), soft_wrap=not bounded)
    # With a height as well: of a width alone, rich makes 80 where TERM is dumb.
    Console(width=_total(widths), height=console.height).print(table)
    for note in notes:
        console.print(Text(printable(note)), soft_wrap=not bounded)


def markdown_table(lines: Sequence[Sequence[str]]) -> str:
    """Write a table as Markdown, without a line break at its end.

    Args:
        lines: Headings, the rule below them, and rows; a cell's own bars are escaped.
    """
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def column_widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], available: int | None) -> list[int]:
    """Give each column what its widest cell needs, and take from the widest names what the terminal lacks.

    Args:
        columns: The columns.
        rows: Their cells.
        available: Places across the terminal; None where there is no bound.

    Returns:
        Places of each column.
    """
    widths = [
        max(cell_len(line) for cell in (column.heading, *cells) for line in str(cell).split("\n"))
        for column, *cells in zip(columns, *rows, strict=True)
    ]
    while available is not None and _total(widths) > available:
        names = [place for place, column in enumerate(columns) if not column.number and widths[place] > _NARROWEST]
        if not names:
            break
        widths[max(names, key=lambda place: widths[place])] -= 1
    return widths


def _folded(text: str, width: int) -> str:
    return "\n".join(part for line in text.split("\n") for part in fold(line, width, cell_len))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1) + _EDGES
