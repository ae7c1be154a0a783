"""`vireid inspect`: what a data set holds, and what is suspicious about it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from rich.table import Table

    from vireid.data.records import ImageRecord
    from vireid.params import Dataset


@reports_errors
def inspect(
    root: Annotated[Path, typer.Argument(help="The data set's folder.")] = Path("data"),
    layout: Annotated[str, typer.Option(help="Its layout; without this option what it looks like.")] = "",
    trial: Annotated[int, typer.Option(help="Which of RegDB's splits.")] = 1,
) -> None:
    """Print what a data set holds by split, modality and camera, and what is suspicious about it.

    Nothing is written. Images are read, to find copies across train and test, but not decoded: unreadable ones are
    found by ingest. The exit code is 1 where the data set breaks its layout. What params.yaml, if there is one,
    asks that this data set cannot give (held-out identities, batches, SRCNN's camera) is said too.
    """
    from rich.console import Console

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
    dataset = check_section(Dataset, values, "vireid inspect", remedy="correct the option")
    records = find_images(dataset)
    title = f"{root}: {name}" + (f", trial {chosen}" if chosen else "")
    Console(width=100).print(_table(title, records))
    problems = _unreadable(root, records)
    problems += findings(records, _digests(root, records), name)
    for problem in problems:
        typer.echo(f"warning: {problem}")
    if not problems:
        typer.echo("nothing suspicious (images were compared, not decoded)")
    _compare(dataset, records)


def _compare(dataset: "Dataset", records: "list[ImageRecord]") -> None:
    """Say what the parameters in the working directory ask that the data set cannot give."""
    from vireid.checks import remarks

    params = Path("params.yaml")
    lines = remarks(params, dataset, records) if params.is_file() else []
    for line in lines:
        typer.echo(f"with {params}: {line}")
    if lines:
        typer.echo(f"what fits: vireid preset dataset=NAME dataset.root={dataset.root} (--dry shows it)")


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


def _table(title: str, records: "list[ImageRecord]") -> "Table":
    """Build a table of one row for each split, modality and camera, and one for each split and modality."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("split")
    table.add_column("modality")
    for heading in ("camera", "images", "identities", "per identity"):
        table.add_column(heading, justify="right")
    groups = sorted({(r.split != "train", r.modality, r.camid) for r in records})
    for key in dict.fromkeys(group[:2] for group in groups):
        part = [r for r in records if (r.split != "train", r.modality) == key]
        camids = [camid for *group, camid in groups if tuple(group) == key]
        for camid in camids:
            table.add_row(*_row(part, str(camid), [r for r in part if r.camid == camid]))
        if len(camids) > 1:
            table.add_row(*_row(part, "all", part), style="bold")
    return table


def _row(part: "list[ImageRecord]", camera: str, images: "list[ImageRecord]") -> tuple[str, ...]:
    from collections import Counter

    counts = Counter(record.pid for record in images).values()
    spread = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return part[0].split, part[0].modality.group, camera, f"{len(images):,}", f"{len(counts):,}", spread
