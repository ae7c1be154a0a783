"""How the training of SRCNN went, as a table, and what came of it, as a picture."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image, ImageDraw, ImageFont

from vireid.superresolution.srcnn import (
    SCALE,
    SRCNN,
    as_bytes,
    as_floats,
    bicubic,
    bicubic4,
    enlarged,
    mean_psnr,
)
from vireid.support.files import replacing

COLUMNS = ("step", "mse", "srcnn", "bicubic")
_SHOWN = 3  # images in the picture
_HEIGHT = 300  # pixels of an image in it, at least
_GAP, _LINE = 12, 24  # pixels
_INK = (31, 41, 51)


class Curve:
    """The training's curve: steps done, mean squared error, and PSNR (dB) of both enlargers on unseen images."""

    def __init__(self, unseen: np.ndarray, device: torch.device):
        self._unseen, self._device = unseen, device
        self._bicubic = mean_psnr(bicubic4, unseen, device)
        self.rows: list[tuple[float, ...]] = []

    def log(self, step: int, mse: float, network: SRCNN) -> None:
        """Add a row."""
        self.rows.append((step, mse, mean_psnr(network, self._unseen, self._device), self._bicubic))


def write_report(folder: Path, rows: list[tuple[float, ...]], picture: Image.Image | None = None) -> None:
    """Write `training.csv` with the columns `COLUMNS`, and `comparison.png`, into a folder that appears whole."""
    with replacing(folder) as partial:
        partial.mkdir()
        table = pd.DataFrame(rows, columns=COLUMNS)
        table.to_csv(partial / "training.csv", index=False, float_format="%.6g", lineterminator="\n")
        if picture is not None:
            picture.save(partial / "comparison.png")


@torch.inference_mode()
def draw_comparison(network: SRCNN, unseen: np.ndarray, device: torch.device) -> Image.Image:
    """Draw some images, one per row: reduced to a quarter, enlarged again by both, and as they were.

    Args:
        network: In eval mode.
        unseen: (N, 4h, 4w, 3) uint8 RGB, not seen in training.
        device: Where the network lies.
    """
    chosen = unseen[np.linspace(0, len(unseen) - 1, min(_SHOWN, len(unseen))).astype(int)]
    reduced = bicubic(as_floats(chosen).to(device), 1 / SCALE)
    columns = {
        f"reduced {SCALE}x": as_bytes(reduced).repeat(SCALE, axis=1).repeat(SCALE, axis=2),
        "bicubic": as_bytes(enlarged(bicubic4, reduced)),
        "SRCNN": as_bytes(enlarged(network, reduced)),
        "original": chosen,
    }
    scores = {
        name: [f"{mean_psnr(enlarge, image[None], device):.1f} dB" for image in chosen]
        for name, enlarge in (("bicubic", bicubic4), ("SRCNN", network))
    }
    return _montage(columns, scores)


def _montage(columns: dict[str, np.ndarray], captions: dict[str, list[str]]) -> Image.Image:
    count, height, width = next(iter(columns.values())).shape[:3]
    zoom = -(-_HEIGHT // height)
    step_x, step_y = zoom * width + _GAP, zoom * height + _LINE + _GAP
    page = Image.new("RGB", (len(columns) * step_x + _GAP, count * step_y + _LINE + _GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for column, (name, images) in enumerate(columns.items()):
        left = _GAP + column * step_x
        draw.text((left, _GAP // 2), name, fill=_INK, font=font)
        for row, image in enumerate(images):
            top = _LINE + _GAP + row * step_y
            shown = Image.fromarray(image).resize((zoom * width, zoom * height), Image.Resampling.NEAREST)
            page.paste(shown, (left, top))
            if name in captions:
                draw.text((left, top + zoom * height + 2), captions[name][row], fill=_INK, font=font)
    return page
