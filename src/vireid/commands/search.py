"""`vireid search`: who is this, among my own pictures?"""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors

_SHOWN = 5  # unreadable pictures that are named


class Spectrum(StrEnum):
    """The two modalities, as words of the command line."""

    VISIBLE = "visible"
    INFRARED = "infrared"


class OnBadImage(StrEnum):
    """What to do about a picture that cannot be read."""

    ERROR = "error"
    SKIP = "skip"


class DeviceName(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


@reports_errors
def search(
    queries: Annotated[list[Path], typer.Argument(help="Pictures to search with.")],
    gallery: Annotated[Path, typer.Option(help="Folder of pictures, a gallery saved by --save, or features.h5.")],
    model: Annotated[Path, typer.Option(help="Model folder, written by train.")] = Path("artifacts/model"),
    query_modality: Annotated[Spectrum | None, typer.Option(help="What the queries are.")] = None,
    gallery_modality: Annotated[Spectrum | None, typer.Option(help="What the gallery's pictures are.")] = None,
    embedding: Annotated[
        str, typer.Option(help="An embedding of the model, or the one its paper ranks.")
    ] = "default",
    top: Annotated[int, typer.Option(min=1, help="Pictures to find for each query.")] = 10,
    save: Annotated[Path | None, typer.Option(help="File to save the embedded folder to, for next time.")] = None,
    sheet: Annotated[Path, typer.Option(help="Contact sheet to write (PNG).")] = Path("search.png"),
    pictures: Annotated[
        Path | None, typer.Option(help="Where the pictures of a saved gallery or of features.h5 are.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare all pictures, even of a big gallery.")] = False,
    on_bad_image: Annotated[
        OnBadImage, typer.Option(help="About a gallery's picture that cannot be read.")
    ] = OnBadImage.ERROR,
    device: Annotated[DeviceName, typer.Option(help="Where to compute.")] = DeviceName.AUTO,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures to embed at a time.")] = 64,
) -> None:
    """Rank a folder of pictures by how much each looks like the person in a query.

    Prints a table for each query and draws a contact sheet. A manifest.csv in the folder says of which spectrum
    its pictures are, and whom they show; without it use --query-modality and --gallery-modality. Where the
    gallery's is left open, it is the other one than the query's.

    Nothing is evaluated here: whether the model saw these people in training is neither checked nor of interest.

    Example: vireid search query.jpg --gallery photos --query-modality infrared --gallery-modality visible
    """
    from vireid.data.records import Modality
    from vireid.params import Compute, check_section
    from vireid.reporting.search_results import draw_found, print_found
    from vireid.search.embedder import Embedder
    from vireid.search.gallery import open_index, save_gallery
    from vireid.search.run import known_queries, open_gallery
    from vireid.search.run import search as find

    if save is not None and not gallery.is_dir():
        raise UserError(
            "--save", "nothing to embed", expected="a folder", found=gallery, remedy="leave --save out"
        )
    cores = os.cpu_count() or 1
    values = {"device": device.value, "precision": "auto", "threads": cores, "workers": cores}
    compute = check_section(Compute, values, "vireid search", remedy="correct the option")
    query_said, gallery_said = (
        None if kind is None else Modality[kind.name] for kind in (query_modality, gallery_modality)
    )
    asked = known_queries(queries, pictures or gallery, query_said)
    embedder = Embedder(model, embedding, compute, batch_size)
    source, bad = open_gallery(gallery, gallery_said, asked.modality, embedder, on_bad_image is OnBadImage.SKIP)
    if save is not None:
        save_gallery(save, source)
    index = open_index(gallery, source, exact)
    found = find(embedder, source, index, asked, top)
    print_found(found)
    compared = "all" if index is None else "the likely ones (approximate; --exact compares all) of"
    typer.echo(f"compared {compared} {len(source.name):,} {source.modality.group} pictures")
    if save is not None:
        typer.echo(f"saved the gallery: --gallery {save} searches it without embedding it again")
    if bad:
        shown = ", ".join(f"{path} ({problem})" for path, problem in list(bad.items())[:_SHOWN])
        typer.echo(f"warning: {len(bad)} pictures cannot be read and were not searched: {shown}", err=True)
    root = pictures or source.root
    if root is None:
        typer.echo("no contact sheet: say with --pictures in which folder the data set is")
        return
    drawn = draw_found(sheet, found, root, embedder.size, (asked.modality, source.modality))
    typer.echo(f"{sheet}: {drawn} of {len(found)} queries")
