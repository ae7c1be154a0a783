"""The commands that draw the embedded data set and show it."""

import os
from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors


@reports_errors
def synthesize(
    root: Annotated[Path, typer.Argument(help="Folder to make; it must not exist yet.")] = Path("data"),
    seed: Annotated[int, typer.Option(help="Chooses the people, the places and every photograph.")] = 2026,
    train_ids: Annotated[int, typer.Option(help="Identities to train on.")] = 400,
    val_ids: Annotated[int, typer.Option(help="Identities in SYSU-MM01's validation list; trained on.")] = 40,
    test_ids: Annotated[int, typer.Option(help="Identities to test on.")] = 40,
    visible_images: Annotated[
        int | None,
        typer.Option(help="Images of an identity by each visible camera.", show_default="3, regdb 10, llcm 2"),
    ] = None,
    infrared_images: Annotated[
        int | None,
        typer.Option(help="Images of an identity by each infrared camera.", show_default="6, regdb 10, llcm 2"),
    ] = None,
    height: Annotated[int, typer.Option(help="Height of an image in pixels.")] = 192,
    width: Annotated[int, typer.Option(help="Width of an image in pixels.")] = 96,
    layout: Annotated[str, typer.Option(help="Cameras and folders: sysu_mm01, regdb or llcm.")] = "sysu_mm01",
    workers: Annotated[
        int,
        typer.Option(min=0, help="Processes to draw with, 0 for one per core; the images do not depend on it."),
    ] = 0,
) -> None:
    """Draw the embedded data set: pedestrians seen by visible and near-infrared cameras.

    Nothing is downloaded. The folder has exactly SYSU-MM01's layout (by --layout that of RegDB, with its ten
    trials, or that of LLCM), and the same options give the same bytes.
    Colour says nothing about near-infrared here; shape, cut, pattern and what is carried do.

    If ROOT.dvc pins the folder's content, the drawn folder is compared with it, before DVC sees it.
    """
    from vireid.synthetic.dataset import Settings, folder_md5
    from vireid.synthetic.dataset import synthesize as draw

    settings = Settings(seed, train_ids, val_ids, test_ids, visible_images, infrared_images, height, width, layout)
    pin = Path(f"{root}.dvc")
    pinned = _pinned_md5(pin) if pin.exists() else None
    draw(root, settings, workers or os.cpu_count() or 1)
    typer.echo(f"{root}: {settings.num_images:,} images of {settings.num_ids} identities")
    if pinned is not None:
        _compare(pin, pinned, folder_md5(root))


@reports_errors
def contact_sheet(
    root: Annotated[Path, typer.Argument(help="A data set in SYSU-MM01's layout.")],
    output: Annotated[Path, typer.Argument(help="PNG file to write.")],
    pids: Annotated[int, typer.Option(help="How many identities to show, one per row.")] = 10,
    seed: Annotated[int, typer.Option(help="Chooses the identities and one image of each per camera.")] = 0,
) -> None:
    """Draw a few identities of a data set over its six cameras, visible ones left, infrared ones right."""
    from vireid.synthetic.contact_sheet import draw_contact_sheet

    draw_contact_sheet(root, output, pids, seed)
    typer.echo(f"{output}: {pids} identities of {root}")


def _pinned_md5(pin: Path) -> str:
    from vireid.support.yaml_files import read_yaml

    remedy = f"mend it; git checkout {pin.name} brings back the committed one"
    try:
        return read_yaml(pin, remedy)["outs"][0]["md5"]
    except (KeyError, IndexError, TypeError) as error:
        raise UserError(
            pin,
            "cannot be read as a .dvc file",
            expected="YAML with the key outs[0].md5",
            found=f"{type(error).__name__}: {error}",
            remedy=remedy,
        ) from error


def _compare(pin: Path, pinned: str, drawn: str) -> None:
    if drawn == pinned:
        typer.echo(f"{pin} pins exactly these images ({drawn}).")
        return
    typer.echo(
        f"warning: {pin} pins other images than those drawn\n"
        f"  pinned: {pinned}\n"
        f"  drawn:  {drawn}\n"
        "  why:    other options than the pinned ones, or other releases of Pillow or NumPy\n"
        f"  effect: dvc repro will rewrite {pin.name} and run every stage; the results will differ a little from\n"
        "          those of the README, or be of another data set altogether if options were changed",
        err=True,
    )
