"""What a search found: a table in the terminal and a contact sheet."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vireid.data.decode import decode
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.reporting.picture_rows import Headings, PictureRow, Tile, draw_rows
from vireid.search.hits import QueryHits
from vireid.search.pictures import unreadable
from vireid.support.files import inside
from vireid.support.tables import Column, print_table

_HEIGHT = 288  # pixels of a picture on the sheet
_MOST_QUERIES = 20  # rows of a sheet


def print_hits(hits: Sequence[QueryHits]) -> None:
    """Print one table for each query: rank, distance, identity where it is known, and path."""
    for item in hits:
        title = f"{item.query}" + (f", id {item.query_pid}" if item.query_pid >= 0 else "")
        with_pids = bool((item.pid >= 0).any())
        numbers = ("rank", "distance", *(("id",) if with_pids else ()))
        rows = []
        for rank, (name, pid, distance) in enumerate(
            zip(item.name, item.pid, item.distance, strict=True), start=1
        ):
            identity = (str(pid) if pid >= 0 else "",) if with_pids else ()
            rows.append([str(rank), f"{distance:.4f}", *identity, name])
        print_table(title, [*(Column(number, number=True) for number in numbers), Column("picture")], rows)


def draw_hits(
    path: Path,
    hits: Sequence[QueryHits],
    root: Path,
    size: tuple[int, int],
    scaling: Scaling,
    modalities: tuple[Modality, Modality],
) -> int:
    """Draw each query with the pictures that are closest to it.

    Args:
        path: The figure.
        hits: Results; the first twenty are drawn.
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
    for item in hits[:_MOST_QUERIES]:
        tiles = [
            Tile(_picture(inside(root, name), width, scaling), f"{distance:.3f}", name, _identity(pid), correct)
            for name, pid, distance, correct in zip(item.name, item.pid, item.distance, item.correct, strict=True)
        ]
        query = Tile(_picture(item.query, width, scaling), "query", item.query.name, _identity(item.query_pid))
        rows.append(PictureRow(query, tiles))
    query_kind, gallery_kind = (modality.group for modality in modalities)
    headings = Headings(f"{query_kind} query", f"closest {gallery_kind} pictures and their distances (0 to 2)")
    draw_rows(path, rows, headings, inches=0.95)
    return len(rows)


def _picture(path: Path, width: int, scaling: Scaling) -> np.ndarray:
    decoded = decode(path, _HEIGHT, width, scaling)
    if decoded.image is None:
        raise unreadable(
            path, str(decoded.problem), "say with --pictures in which folder the gallery's pictures are"
        )
    return decoded.image


def _identity(pid: int) -> str:
    return f"id {pid}" if pid >= 0 else ""
