"""`vireid inspect`: what a data set holds, and what is suspicious about it."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from vireid.data.records import ImageRecord
    from vireid.datasets.base import DataSet
    from vireid.params import Dataset

TRIAL = typer.Option(help="Which split, where the data set has several.", show_default="1")
_PARAMS = Path("params.yaml")
# What is taken where there are no parameters to read.
_SHAPE = 2.0
_SIXTEEN_BIT = {"scaling": "percentiles", "window": [0, 65535], "percentiles": [0.5, 99.5]}


@reports_errors
def inspect(
    root: Annotated[Path, typer.Argument(help="The data set's folder.")] = Path("data"),
    layout: Annotated[str, typer.Option(help="Its layout; without this option what it looks like.")] = "",
    trial: Annotated[int | None, TRIAL] = None,
    decode: Annotated[bool, typer.Option("--decode", help="Decode every image, as ingest does.")] = False,
) -> None:
    """Print what a data set holds by split, modality and camera, how large its images are, and what is suspicious.

    Nothing is written. Images are read, to find copies across train and test, but not decoded: --decode does so,
    and finds files that are broken inside and pictures that are nearly black, flat or of few grey levels. The
    packed shape and the scaling of 16-bit images are those of params.yaml in the working directory, or else 2:1
    and percentiles 0.5 and 99.5. What this file asks that the data set cannot give (held-out identities, batches,
    SRCNN's camera) is said too. The exit code is 1 where the data set breaks its layout.
    """
    from vireid.data.findings import findings
    from vireid.data.picture_findings import picture_findings, size_percentiles
    from vireid.data.sixteen_bit import Scaling
    from vireid.data.survey import survey, unreadable_files
    from vireid.datasets import data_set_of
    from vireid.datasets.find import find_images

    chosen, shape = _chosen(root, layout, trial)
    records = find_images(chosen)
    title = f"{root}: {chosen.layout}" + (f", trial {chosen.trial}" if chosen.trial else "")
    _print_counts(title, records)
    surveyed = survey(root, records, Scaling.chosen(chosen.sixteen_bit) if decode else None)
    readable = [
        (record, item.look) for record, item in zip(records, surveyed, strict=True) if item.look is not None
    ]
    seen, looks = [record for record, _ in readable], [look for _, look in readable]
    for modality, sides in size_percentiles(seen, looks).items():
        typer.echo(_sizes(modality, sides))
    problems = unreadable_files(records, surveyed)
    problems += findings(records, [item.digest for item in surveyed], data_set_of(chosen.layout).is_described)
    problems += picture_findings(seen, looks, shape)
    for problem in problems:
        typer.echo(f"warning: {problem}")
    if not problems:
        typer.echo("nothing suspicious")
    if not decode:
        typer.echo("images were compared, not decoded: --decode finds broken, nearly black and flat ones")
    _compare(chosen, records)


def _chosen(root: Path, layout: str, trial: int | None) -> "tuple[Dataset, float]":
    """Say as parameters which data set is looked at, and how high a packed image is in relation to its width."""
    from vireid.datasets import data_set_of
    from vireid.params import Dataset, check_section, load_params

    data_set = data_set_of(layout, "--layout") if layout else _recognised(root)
    values: dict[str, object] = {"name": data_set.names[0], "layout": data_set.layout, "root": str(root)}
    if trial is not None and not data_set.trials:
        problem = f"the layout {data_set.layout} has no trials"
        raise UserError("--trial", problem, expected="no --trial", found=trial, remedy="leave it out")
    values |= {"trial": (trial or 1) if data_set.trials else 0, "train_on_val": True, "gallery_draw": "seeded"}
    values["sixteen_bit"] = _SIXTEEN_BIT
    shape = _SHAPE
    # Parameters that are wrong hide no data set; `_compare` tells of them.
    with suppress(UserError):
        if _PARAMS.is_file():
            params = load_params(_PARAMS)
            values["sixteen_bit"] = params.dataset.sixteen_bit.model_dump()
            shape = params.ingest.height / params.ingest.width
    return check_section(Dataset, values, "vireid inspect", remedy="correct the option"), shape


def _compare(dataset: "Dataset", records: "list[ImageRecord]") -> None:
    """Say what the parameters in the working directory ask that the data set cannot give."""
    from vireid.checks import remarks

    if not _PARAMS.is_file():
        return
    try:
        lines = remarks(_PARAMS, dataset, records)
    except UserError as error:
        typer.echo(f"warning: the images are not compared with {_PARAMS}, which is wrong by itself: {error}")
        return
    for line in lines:
        typer.echo(f"with {_PARAMS}: {line}")
    if lines:
        typer.echo(f"what fits: vireid preset dataset={dataset.name} dataset.root={dataset.root} (--dry shows it)")


def _sizes(modality: str, sides: dict[str, dict[str, int]]) -> str:
    """Write a modality's percentiles of height and width in a line."""
    shown = "; ".join(f"{side} {', '.join(map(str, values.values()))}" for side, values in sides.items())
    percentiles = ", ".join(next(iter(sides.values())))
    return f"{modality} images, pixels at the percentiles {percentiles}: {shown}"


def _recognised(root: Path) -> "DataSet":
    from vireid.datasets import data_sets
    from vireid.datasets.find import hint, recognised

    detected = recognised(root)
    if not root.exists():
        raise UserError(
            root,
            "there is no such folder",
            expected="a data set's folder",
            found=f"nothing of this name in {Path.cwd()}",
            remedy="correct it; in the root of the project `data` is the embedded data set (`make data` draws it)",
        )
    if detected is None:
        raise UserError(
            root,
            "not a folder that looks like a data set",
            expected="; ".join(f"{known.title}: {', '.join(known.entries)}" for known in data_sets().values()),
            found=_shown(root) + (hint(root) if root.is_dir() else ""),
            remedy="name the folder that holds these, or for your own images write a manifest: `vireid manifest`",
        )
    return detected


def _shown(path: Path) -> str:
    return (
        ", ".join(sorted(child.name for child in path.iterdir())[:10]) or "nothing" if path.is_dir() else "a file"
    )


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
        rows += [[*_row(part, str(camid), [r for r in part if r.camid == camid])] for camid in camids]
        if len(camids) > 1:
            rows.append([Text(cell, "bold") for cell in _row(part, "all", part)])
    print_table(title, columns, rows)


def _row(part: "list[ImageRecord]", camera: str, images: "list[ImageRecord]") -> list[str]:
    from collections import Counter

    counts = Counter(record.pid for record in images).values()
    spread = str(min(counts)) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
    return [part[0].split, part[0].modality.group, camera, f"{len(images):,}", f"{len(counts):,}", spread]
