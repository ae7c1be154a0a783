"""What a search found: a table in the terminal and a contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from vireid.data.decode import decode
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.reporting.picture_rows import Headings, Row, Tile, draw_rows
from vireid.search.found import Found
from vireid.search.pictures import unreadable
from vireid.support.files import inside

_HEIGHT = 288  # pixels of a picture on the sheet
_LETTERS = 20  # of a name on the sheet
_MOST_QUERIES = 20  # rows of a sheet


def print_found(found: Sequence[Found]) -> None:
    """Print one table for each query: rank, distance, identity where it is known, and path."""
    for item in found:
        title = f"{item.query}" + (f", id {item.query_pid}" if item.query_pid >= 0 else "")
        table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
        with_pids = bool((item.pid >= 0).any())
        for heading in ("rank", "distance", *(("id",) if with_pids else ())):
            table.add_column(heading, justify="right")
        table.add_column("picture", overflow="fold")
        for rank, (name, pid, distance) in enumerate(
            zip(item.name, item.pid, item.distance, strict=True), start=1
        ):
            identity = (str(pid) if pid >= 0 else "",) if with_pids else ()
            table.add_row(str(rank), f"{distance:.4f}", *identity, name)
        Console(width=110).print(table)


def draw_found(
    path: Path,
    found: Sequence[Found],
    root: Path,
    size: tuple[int, int],
    scaling: Scaling,
    modalities: tuple[Modality, Modality],
) -> int:
    """Draw each query with the pictures that are closest to it.

    Args:
        path: The figure.
        found: Results; the first twenty are drawn.
        root: Folder that the gallery's names are relative to.
        size: (height, width) in pixels that the model sees, for the pictures' shape.
        scaling: How it sees 16-bit pictures.
        modalities: Of the queries and of the gallery.

    Returns:
        Number of queries that were drawn.

    Raises:
        UserError: If a picture is no longer there, or its name leads out of the folder.
    """
    width = round(_HEIGHT * size[1] / size[0])
    rows = []
    for item in found[:_MOST_QUERIES]:
        tiles = [
            Tile(_picture(inside(root, name), width, scaling), f"{distance:.3f}", _short(name, pid), correct)
            for name, pid, distance, correct in zip(item.name, item.pid, item.distance, item.correct, strict=True)
        ]
        query = Tile(_picture(item.query, width, scaling), "query", _short(item.query.name, item.query_pid))
        rows.append(Row(query, tiles))
    query_kind, gallery_kind = (modality.group for modality in modalities)
    headings = Headings(f"{query_kind} query", f"closest {gallery_kind} pictures and their distances (0 to 2)")
    draw_rows(path, rows, headings, inches=0.95)
    return len(rows)


def _picture(path: Path, width: int, scaling: Scaling) -> np.ndarray:
    decoded = decode(path, _HEIGHT, width, scaling)
    if decoded.problem is not None:
        raise unreadable(path, decoded.problem, "say with --pictures in which folder the gallery's pictures are")
    return decoded.image


def _short(name: str, pid: int) -> str:
    """Shorten a path from its front, as the end tells one picture from the next."""
    short = name if len(name) <= _LETTERS else f"…{name[-_LETTERS + 1 :]}"
    return short if pid < 0 else f"{short}\nid {pid}"
