"""The overlay that replaces one visible camera's training images by what SRCNN makes of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import save_file

from vireid.compute import choose_device
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImageSet, ImagesInfo, create_images, open_images
from vireid.params import Params, Superresolve
from vireid.superresolution.srcnn import (
    SCALE,
    load_originals,
    score_against_bicubic,
    superresolve_images,
    train_srcnn,
)
from vireid.support.errors import UserError
from vireid.support.files import replacing, sha256

_ROWS_PER_WRITE = 256


def superresolve(params: Params, images: Path, overlay: Path, weights: Path) -> dict[str, Any]:
    """Train SRCNN on one camera's training images and write the overlay.

    Args:
        params: Reads `seed`, `dataset.root`, `superresolve` and `compute`.
        images: The packed images.
        overlay: To write; without images where super-resolution is switched off.
        weights: To write; without tensors where it is switched off.

    Returns:
        `enabled`, `replaced_images` and, where enabled, `psnr` (dB) and `ssim` of bicubic and SRCNN.

    Raises:
        UserError: If the camera has no visible training images, or fewer identities than are held out.
    """
    with open_images(images) as file:
        info, visible = file.info, file.read("train", Modality.VISIBLE)
    settings = params.superresolve
    if not settings.enabled:
        _save_weights({}, weights)
        with create_images(overlay, info):
            return {"enabled": False, "replaced_images": 0}
    rows = _rows_of_camera(visible, settings)
    names, pids = visible.name[rows], visible.pid[rows]
    held_out = np.isin(pids, _draw_holdout(pids, settings, params.seed))

    fabric = replace(choose_device(params.compute), precision="fp32").fabric()
    root, device = Path(params.dataset.root), fabric.device
    originals = load_originals(root, names, SCALE * settings.input.height, SCALE * settings.input.width)
    network = train_srcnn(originals[~held_out], settings, params.seed, device)
    scores = score_against_bicubic(network, originals[held_out], device)
    _save_weights(network.cpu().state_dict(), weights)

    inputs = load_originals(root, names, settings.apply.height, settings.apply.width)
    sharpened = superresolve_images(network.to(device), inputs, info.height, info.width, device)
    provenance = f"srcnn camera {settings.camera}, weights {sha256(weights)[:12]}"
    _write_overlay(overlay, replace(info, superresolve=provenance), visible, rows, sharpened)
    return {"enabled": True, "replaced_images": len(rows), "heldout_images": int(held_out.sum()), **scores}


def _rows_of_camera(visible: ImageSet, settings: Superresolve) -> np.ndarray:
    rows = np.flatnonzero(visible.camid == settings.camera)
    if len(rows) == 0:
        raise UserError(
            "superresolve.camera",
            "this camera has no visible training images",
            expected=f"one of {', '.join(map(str, np.unique(visible.camid)))}",
            found=settings.camera,
            remedy="choose one of these, or set superresolve.enabled: false",
        )
    return rows


def _draw_holdout(pids: np.ndarray, settings: Superresolve, seed: int) -> np.ndarray:
    present = np.unique(pids)
    if len(present) <= settings.holdout_pids:
        raise UserError(
            "superresolve.holdout_pids",
            "no identity would be left to train SRCNN on",
            expected=f"fewer than {len(present)}",
            found=settings.holdout_pids,
            remedy="lower superresolve.holdout_pids",
        )
    return np.random.default_rng(seed).choice(present, settings.holdout_pids, replace=False)


def _save_weights(state: dict[str, Any], path: Path) -> None:
    with replacing(path) as partial:
        save_file(state, partial)


def _write_overlay(path: Path, info: ImagesInfo, visible: ImageSet, rows: np.ndarray, images: np.ndarray) -> None:
    records = [
        ImageRecord(visible.name[row], int(visible.pid[row]), int(visible.camid[row]), Modality.VISIBLE, "train")
        for row in rows
    ]
    with create_images(path, info) as writer:
        for start in range(0, len(rows), _ROWS_PER_WRITE):
            part = slice(start, start + _ROWS_PER_WRITE)
            writer.append(records[part], images[part])
