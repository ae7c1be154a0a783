"""`vireid manifest`: describe a folder of one's own images."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors

_SHOWN = 5  # words whose numbers are shown


@reports_errors
def manifest(
    folder: Annotated[Path, typer.Argument(help="The folder of images; manifest.csv is written into it.")],
    pattern: Annotated[
        str,
        typer.Option(
            help="Regular expression for whole paths, with groups pid, modality and, maybe, camid and split."
        ),
    ],
    visible: Annotated[str, typer.Option(help="What the group modality holds for visible images.")] = "visible",
    infrared: Annotated[str, typer.Option(help="What it holds for infrared images.")] = "infrared",
    test_share: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the identities to test on, where there is no group split."),
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Draws these identities.")] = 0,
    skip: Annotated[
        bool, typer.Option("--skip", help="Leave out images that the pattern does not match.")
    ] = False,
) -> None:
    r"""Write FOLDER/manifest.csv: what each image below FOLDER is, read from its path.

    A pattern for rgb/0012/c3_0001.jpg and ir/0012/c4_0001.jpg, with --visible rgb --infrared ir:
    '(?P<modality>rgb|ir)/(?P<pid>\d+)/c(?P<camid>\d+)_.*'

    Without the group camid, visible images are of camera 1 and infrared images of camera 2. A pattern for
    day-P0001-frame0.jpg and night-P0001-frame0.jpg, with --visible day --infrared night:
    '(?P<modality>day|night)-P(?P<pid>\d+)-.*'

    Cameras or identities that are words, as in lobby/anna/day_1.jpg, are numbered in the order of their names:
    '(?P<camid>\w+)/(?P<pid>\w+)/(?P<modality>day|night)_.*'

    A camera that is both visible and infrared means one place, where a query ignores its own identity: tell
    cameras apart, or add a column location by hand. Pictures of other formats and linked folders are passed over,
    and counted; names that begin with a dot are passed over.

    Then: vireid preset dataset=manifest dataset.root=FOLDER
    """
    from vireid.data.findings import shared_cameras
    from vireid.data.records import Modality
    from vireid.datasets.folder_tree import passed_over, write_manifest

    if not folder.is_dir():
        raise UserError(folder, "no such folder", expected="a folder", found="nothing", remedy="correct its name")
    words = {visible: Modality.VISIBLE, infrared: Modality.INFRARED}
    written = write_manifest(folder, pattern, words, test_share, seed, skip)
    for split in ("train", "test"):
        part = [record for record in written.records if record.split == split]
        typer.echo(f"{split}: {len(part)} images of {len({record.pid for record in part})} identities")
    for kind, numbers in (("cameras", written.cameras), ("identities", written.identities)):
        if numbers:
            typer.echo(f"{kind}, numbered in the order of their names: {_first_of(numbers)}")
    if written.left_out:
        images = "image" if written.left_out == 1 else "images"
        typer.echo(f"left out: {written.left_out} {images} that the pattern does not match")
    if others := passed_over(written.tree):
        typer.echo(f"passed over: {others}")
    if written.tree.linked:
        typer.echo("warning: ingest refuses linked folders: put the folders themselves there, or remove the links")
    for warning in shared_cameras(written.records):
        typer.echo(f"warning: {warning}")


def _first_of(numbers: dict[str, int]) -> str:
    pairs = [f"{name} is {number}" for name, number in list(numbers.items())[:_SHOWN]]
    return ", ".join(pairs) + (f", ... ({len(numbers)} in all)" if len(numbers) > _SHOWN else "")
