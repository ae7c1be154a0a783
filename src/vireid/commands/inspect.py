"""`vireid inspect`: what a data set holds, and what is suspicious about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from vireid.data.records import ImageRecord


@reports_errors
def inspect(
    root: Annotated[Path, typer.Argument(help="The data set's folder.")] = Path("data"),
    layout: Annotated[str, typer.Option(help="Its layout; without this option what it looks like.")] = "",
    trial: Annotated[int, typer.Option(help="Which of RegDB's splits.")] = 1,
) -> None:
    """Print what a data set holds by split, modality and camera, and what is suspicious about it.

    Nothing is written. Images are read, to find copies across train and test, but not decoded: unreadable ones are
    found by ingest. The exit code is 1 where the data set breaks its layout.
    """
    from vireid.data.findings import findings
    from vireid.data.ingest import LAYOUTS, TRIALS, find_images
    from vireid.params import Dataset, check_section

    name = layout or _recognised(root)
    if name not in LAYOUTS:
        expected = ", ".join(LAYOUTS)
        raise UserError("--layout", "no such layout", expected=expected, found=name, remedy="choose one of these")
    chosen = trial if name in TRIALS else 0
    values = {"name": "synthetic", "layout": name, "root": str(root), "trial": chosen}
    values |= {"train_on_val": True, "gallery_draw": "seeded"}
    records = find_images(check_section(Dataset, values, "vireid inspect", remedy="correct the option"))
    title = f"{root}: {name}" + (f", trial {chosen}" if chosen else "")
    _print_counts(title, records)
    problems = _unreadable(root, records)
    problems += findings(records, _digests(root, records), name)
    for problem in problems:
        typer.echo(f"warning: {problem}")
    if not problems:
        typer.echo("nothing suspicious (images were compared, not decoded)")


def _unreadable(root: Path, records: "list[ImageRecord]") -> list[str]:
    """Find what is no file, or an empty one."""
    bad = [r.name for r in records if not (root / r.name).is_file() or not (root / r.name).stat().st_size]
    return [f"files that are empty or cannot be read: {len(bad)}; the first is {bad[0]}"] if bad else []


def _digests(root: Path, records: "list[ImageRecord]") -> list[str]:
    """Hash the files' bytes; what is no file counts as its own name."""
    from vireid.support.files import sha256
    from vireid.support.progress import track

    paths = [root / record.name for record in records]
    return [
        sha256(path) if path.is_file() else str(path) for path in track(paths, "compare", len(paths), "images")
    ]


def _recognised(root: Path) -> str:
    from vireid.data.layouts.checks import ENTRIES, TITLES, hint, layout_of

    found = layout_of(root)
    if found is None:
        raise UserError(
            root,
            "not a folder that looks like a data set",
            expected="; ".join(f"{TITLES[name]}: {', '.join(entries)}" for name, entries in ENTRIES.items()),
            found=_shown(root) + (hint(root) if root.is_dir() else ""),
            remedy="name the folder that holds these, or for your own images write a manifest: `vireid manifest`",
        )
    return found


def _shown(path: Path) -> str:
    if path.is_dir():
        return ", ".join(sorted(child.name for child in path.iterdir())[:10]) or "nothing"
    return "a file" if path.exists() else "no such folder"


def _print_counts(title: str, records: "list[ImageRecord]") -> None:
    """Print a row for each split, modality and camera, and one for each split and modality."""
    from rich.text import Text

    from vireid.support.tables import Column, print_table

    counts = ("camera", "images", "identities", "per identity")
    columns = [Column("split"), Column("modality"), *(Column(heading, number=True) for heading in counts)]
    rows: list[list[str | Text]] = []
    groups = sorted({(r.split != "train", r.modality, r.camid) for r in records})
    for key in dict.fromkeys(group[:2] for group in groups):
        part = [r for r in records if (r.split != "train", r.modality) == key]
        camids = [camid for *group, camid in groups if tuple(group) == key]
        rows += [_row(part, str(camid), [r for r in part if r.camid == camid]) for camid in camids]
        if len(camids) > 1:
            rows.append([Text(cell, "bold") for cell in _row(part, "all", part)])
    print_table(title, columns, rows)


def _row(part: "list[ImageRecord]", camera: str, images: "list[ImageRecord]") -> list[str]:
    from collections import Counter

    counts = Counter(record.pid for record in images).values()
    spread = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return [part[0].split, part[0].modality.group, camera, f"{len(images):,}", f"{len(counts):,}", spread]
