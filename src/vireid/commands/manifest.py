"""`vireid manifest`: describe a folder of one's own images."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors


@reports_errors
def manifest(
    folder: Annotated[Path, typer.Argument(help="The folder of images; manifest.csv is written into it.")],
    pattern: Annotated[
        str,
        typer.Option(
            help="Regular expression for whole paths, with groups pid, camid, modality and, maybe, split."
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
    '(?P<modality>rgb|ir)/(?P<pid>\d+)/c(?P<camid>\d+)_.*'. A camera number that is both visible and infrared means
    one place, where a query ignores its own identity: number cameras apart, or add a column location by hand.
    Then: vireid preset dataset=manifest, and set dataset.root to FOLDER.
    """
    from vireid.data.folder_tree import write_manifest
    from vireid.data.records import Modality

    if not folder.is_dir():
        raise UserError(folder, "no such folder", expected="a folder", found="nothing", remedy="correct its name")
    words = {visible: Modality.VISIBLE, infrared: Modality.INFRARED}
    records = write_manifest(folder, pattern, words, test_share, seed, skip)
    for split in ("train", "test"):
        part = [record for record in records if record.split == split]
        typer.echo(f"{split}: {len(part)} images of {len({record.pid for record in part})} identities")
