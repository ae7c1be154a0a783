"""`vireid search`: who is this, among my own pictures?"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vireid.commands.devices import DEVICE, DeviceName
from vireid.defaults import EMBEDDING
from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from vireid.data.records import Modality

_SHOWN = 5  # unreadable pictures that are named
_NO_SHEET = "no contact sheet: say with --pictures in which folder the data set is"


class Spectrum(StrEnum):
    """The two modalities, as words of the command line."""

    VISIBLE = "visible"
    INFRARED = "infrared"


class OnBadImage(StrEnum):
    """What to do about a picture that cannot be read."""

    ERROR = "error"
    SKIP = "skip"


QUERIES = typer.Argument(help="Pictures to search with.")
GALLERY = typer.Option(help="Folder of pictures, a gallery saved by --save, or features.h5.")
MODEL = typer.Option(help="Model folder, written by train, or a .onnx file of `vireid export`.")
QUERY_MODALITY = typer.Option(help="What the queries are.")
GALLERY_MODALITY = typer.Option(help="What the gallery's pictures are.")
EMBEDDING_OPTION = typer.Option(help="An embedding of the model, or the one its paper ranks.")
TOP = typer.Option(min=1, help="Pictures to find for each query.")
SAVE = typer.Option(help="File to save the embedded folder to, for next time.")
SHEET = typer.Option(help="Contact sheet to write (PNG).")
PICTURES = typer.Option(help="Where the pictures of a saved gallery or of features.h5 are.")
EXACT = typer.Option("--exact", help="Compare all pictures, even of a big gallery.")
ON_BAD_IMAGE = typer.Option(help="About a gallery's picture that cannot be read.")
BATCH_SIZE = typer.Option(min=1, help="Pictures to embed at a time.")


@reports_errors
def search(
    queries: Annotated[list[Path], QUERIES],
    gallery: Annotated[Path, GALLERY],
    model: Annotated[Path, MODEL] = Path("artifacts/model"),
    query_modality: Annotated[Spectrum | None, QUERY_MODALITY] = None,
    gallery_modality: Annotated[Spectrum | None, GALLERY_MODALITY] = None,
    embedding: Annotated[str, EMBEDDING_OPTION] = EMBEDDING,
    top: Annotated[int, TOP] = 10,
    save: Annotated[Path | None, SAVE] = None,
    sheet: Annotated[Path, SHEET] = Path("search.png"),
    pictures: Annotated[Path | None, PICTURES] = None,
    exact: Annotated[bool, EXACT] = False,
    on_bad_image: Annotated[OnBadImage, ON_BAD_IMAGE] = OnBadImage.ERROR,
    device: Annotated[DeviceName, DEVICE] = DeviceName.AUTO,
    batch_size: Annotated[int, BATCH_SIZE] = 64,
) -> None:
    """Rank a folder of pictures by how much each looks like the person in a query.

    Prints a table for each query and draws a contact sheet. A manifest.csv in the folder says of which spectrum
    its pictures are, and whom they show; without it use --query-modality and --gallery-modality. Where the
    gallery's is left open, it is the other one than the query's.

    Below the folder, linked folders and pictures of formats that are not read are passed over, and counted; names
    that begin with a dot are passed over.

    Nothing is evaluated here: whether the model saw these people in training is neither checked nor of interest.

    Example: vireid search query.jpg --gallery photos --query-modality infrared --gallery-modality visible
    """
    from vireid.compute import all_cores
    from vireid.search.embedder import PictureEmbedder
    from vireid.search.gallery import open_index, save_gallery
    from vireid.search.hits_sheet import draw_hits, print_hits
    from vireid.search.pictures import passed_over, require_readable
    from vireid.search.run import known_queries, open_gallery
    from vireid.search.run import search as find

    _check_outputs(sheet, save, gallery, queries)
    asked = known_queries(queries, pictures or gallery, _modality(query_modality))
    embedder = PictureEmbedder(model, embedding, all_cores(device), batch_size)
    require_readable(asked.paths, *embedder.size, embedder.scaling)
    skip_bad = on_bad_image is OnBadImage.SKIP
    source, bad = open_gallery(gallery, _modality(gallery_modality), asked.modality, embedder, skip_bad)
    if save is not None:
        save_gallery(save, source)
    index = open_index(gallery, source, exact)
    hits = find(embedder, source, index, asked, top)
    print_hits(hits)
    _report(f"{len(source.name):,} {source.modality.group} pictures", index is None, save, bad)
    others = passed_over(gallery) if gallery.is_dir() else ""
    if others:
        typer.echo(f"passed over: {others}")
    root = pictures or source.root
    drawn = root and draw_hits(
        sheet, hits, root, embedder.size, embedder.scaling, (asked.modality, source.modality)
    )
    typer.echo(f"{sheet}: {drawn} of {len(hits)} queries" if drawn else _NO_SHEET)


def _check_outputs(sheet: Path, save: Path | None, gallery: Path, queries: list[Path]) -> None:
    from vireid.commands.outputs import check_output_file

    check_output_file("--sheet", sheet, inputs=[gallery, *queries])
    if save is not None:
        if not gallery.is_dir():
            raise UserError(
                "--save", "nothing to embed", expected="a folder", found=gallery, remedy="leave --save out"
            )
        check_output_file("--save", save, inputs=queries)
    if gallery.is_dir() and sheet.resolve().is_relative_to(gallery.resolve()):
        raise UserError(
            "--sheet",
            "the contact sheet would be a picture of the gallery",
            expected="a path outside of the gallery's folder",
            found=sheet,
            remedy="name another with --sheet",
        )


def _modality(spectrum: Spectrum | None) -> "Modality | None":
    from vireid.data.records import Modality

    return None if spectrum is None else Modality[spectrum.name]


def _report(pictures: str, compared_all: bool, saved: Path | None, bad: dict[Path, str]) -> None:
    """Say how much was searched, how exactly, and what was left out."""
    compared = "all" if compared_all else "the likely ones (approximate; --exact compares all) of"
    typer.echo(f"compared {compared} {pictures}")
    if saved is not None:
        typer.echo(f"saved the gallery: --gallery {saved} searches it without embedding it again")
    if bad:
        shown = ", ".join(f"{path} ({problem})" for path, problem in list(bad.items())[:_SHOWN])
        typer.echo(f"warning: {len(bad)} pictures cannot be read and were not searched: {shown}", err=True)
