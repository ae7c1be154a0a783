"""A picture of a data set: a few identities as rows, the six cameras as columns."""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vireid.data.decode import decode
from vireid.data.sixteen_bit import FULL_RANGE
from vireid.support.errors import UserError
from vireid.support.files import replacing
from vireid.synthetic.draws import Draw, Purpose

COLUMNS = {1: "visible", 2: "visible", 4: "visible", 5: "visible", 3: "infrared", 6: "infrared"}
"""Cameras of SYSU-MM01 from left to right."""
TILE_HEIGHT, TILE_WIDTH = 192, 96
HEADER, GAP, BREAK = 30, 4, 14
"""Pixels of the labels, between tiles, and between visible and infrared."""
PAPER, INK, FAINT = (255, 255, 255), (40, 40, 40), (130, 130, 130)


def draw_contact_sheet(root: Path, output: Path, num_pids: int, seed: int) -> None:
    """Draw some identities of a data set in SYSU-MM01's layout over its cameras.

    Args:
        root: The data set.
        output: The PNG file to write.
        num_pids: How many identities.
        seed: Chooses the identities, and one image of each by each camera.

    Raises:
        UserError: If the folder does not hold so many identities seen by all six cameras.
    """
    everywhere = [
        {path.name for path in (root / f"cam{camid}").glob("[!.]*") if any(path.glob("[!.]*.jpg"))}
        for camid in COLUMNS
    ]
    pids = sorted(set.intersection(*everywhere))
    if not 1 <= num_pids <= len(pids):
        raise UserError(
            root,
            "not enough identities for the sheet",
            expected=f"{max(num_pids, 1)} identities with images in each of cam1 .. cam6",
            found=f"{len(pids)}, and {num_pids} asked for",
            remedy="give the folder of a data set in SYSU-MM01's layout, or other --pids",
        )
    draw = Draw(seed, Purpose.SHEET)
    chosen = sorted(pids[index] for index in draw.state.permutation(len(pids))[:num_pids])
    rows = [
        [_tile(draw.among(sorted((root / f"cam{c}" / pid).glob("[!.]*.jpg")))) for c in COLUMNS] for pid in chosen
    ]
    sheet = _assemble(rows)
    with replacing(output) as partial:
        sheet.save(partial, "PNG", optimize=True)


def _tile(path: Path) -> Image.Image:
    decoded = decode(path, TILE_HEIGHT, TILE_WIDTH, FULL_RANGE)
    if decoded.image is None:
        raise UserError(
            path,
            "cannot be shown",
            expected="an image file",
            found=decoded.problem,
            remedy="restore or remove the file",
        )
    return Image.fromarray(decoded.image)


def _assemble(rows: list[list[Image.Image]]) -> Image.Image:
    step = TILE_WIDTH + GAP
    lefts = [GAP + i * step + BREAK * (name == "infrared") for i, name in enumerate(COLUMNS.values())]
    sheet = Image.new("RGB", (lefts[-1] + step, HEADER + len(rows) * (TILE_HEIGHT + GAP)), PAPER)
    pen = ImageDraw.Draw(sheet)
    for left, (camid, modality) in zip(lefts, COLUMNS.items(), strict=True):
        middle = left + TILE_WIDTH / 2
        pen.text((middle, 3), f"camera {camid}", INK, ImageFont.load_default(12), anchor="mt")
        pen.text((middle, 17), modality, FAINT, ImageFont.load_default(10), anchor="mt")
    for number, row in enumerate(rows):
        for left, tile in zip(lefts, row, strict=True):
            sheet.paste(tile, (left, HEADER + number * (TILE_HEIGHT + GAP)))
    return sheet
