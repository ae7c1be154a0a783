"""The overlay that replaces one visible camera's training images by what SRCNN makes of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save
from torch import Tensor

from vireid.compute import choose_device
from vireid.data.identities import require_superresolved_identities
from vireid.data.randomness import Stream, generator
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import create_images, open_images
from vireid.params import Params, Superresolve
from vireid.superresolution.report import Curve, draw_comparison, write_report
from vireid.superresolution.srcnn import (
    SCALE,
    load_originals,
    resized,
    score_against_bicubic,
    superresolve_images,
    train_srcnn,
)
from vireid.support.files import replacing, sha256


def superresolve(params: Params, images: Path, overlay: Path, weights: Path, plots: Path) -> dict[str, Any]:
    """Train SRCNN on one camera's training images and write the overlay.

    Args:
        params: Reads `seed`, `dataset.root`, `superresolve` and `compute`.
        images: The packed images.
        overlay: To write; without images where super-resolution is switched off.
        weights: To write; without tensors where it is switched off.
        plots: Folder to write: `training.csv`, the curve, without rows where it is switched off, and else
            `comparison.png`.

    Returns:
        `enabled`, `replaced_images` and, where enabled, `psnr` (dB) and `ssim` of bicubic and SRCNN.

    Raises:
        UserError: If the camera has no visible training images, or fewer identities than are held out; if an
            original cannot be read.
    """
    with open_images(images) as file:
        info, visible = file.info, file.records("train", Modality.VISIBLE)
    settings = params.superresolve
    if not settings.enabled:
        _save_weights({}, weights)
        write_report(plots, [])
        with create_images(overlay, info):
            return {"enabled": False, "replaced_images": 0}
    records = _records_of_camera(visible, settings)
    names, pids = [record.name for record in records], [record.pid for record in records]
    held_out = np.isin(pids, _draw_holdout(pids, settings, params.seed))

    fabric = replace(choose_device(params.compute), precision="fp32").fabric()
    root, device = Path(params.dataset.root), fabric.device
    originals = load_originals(root, names, SCALE * settings.input.height, SCALE * settings.input.width)
    unseen = originals[held_out]
    curve = Curve(unseen, device)
    network = train_srcnn(originals, np.flatnonzero(~held_out), settings, params.seed, device, curve.log)
    scores = score_against_bicubic(network, unseen, device)
    write_report(plots, curve.rows, draw_comparison(network, unseen, device))
    _save_weights(network.cpu().state_dict(), weights)
    del originals

    inputs = load_originals(root, names, settings.apply.height, settings.apply.width)
    output = settings.output
    sharpened = superresolve_images(network.to(device), inputs, output.height, output.width, device)
    provenance = f"srcnn camera {settings.camera}, weights {sha256(weights)[:12]}"
    with create_images(overlay, replace(info, superresolve=provenance)) as writer:
        writer.append(records, resized(sharpened, info.height, info.width))
    return {"enabled": True, "replaced_images": len(records), "heldout_images": int(held_out.sum()), **scores}


def _records_of_camera(visible: list[ImageRecord], settings: Superresolve) -> list[ImageRecord]:
    records = [record for record in visible if record.camid == settings.camera]
    require_superresolved_identities({r.camid for r in visible}, {r.pid for r in records}, settings)
    return records


def _draw_holdout(pids: list[int], settings: Superresolve, seed: int) -> np.ndarray:
    drawn = generator(seed, Stream.SUPERRESOLUTION_HOLDOUT)
    return drawn.choice(np.unique(pids), settings.holdout_pids, replace=False)


def _save_weights(state: dict[str, Tensor], path: Path) -> None:
    with replacing(path) as partial:
        partial.write_bytes(save(state))
