"""The step `superresolve`: one visible camera's training images replaced by what SRCNN makes of them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from vireid.compute import choose_device
from vireid.data.identities import require_superresolved_identities
from vireid.data.randomness import Stream, draw_holdout
from vireid.data.records import ImageRecord, Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import create_images, open_images
from vireid.data.tree import read_dataset
from vireid.params import Params, Superresolve
from vireid.superresolution.originals import Originals, choose_originals
from vireid.superresolution.report import Curve, draw_comparison, write_report
from vireid.superresolution.srcnn import (
    SCALE,
    SRCNN,
    resized,
    score_against_bicubic,
    superresolve_images,
    train_srcnn,
)
from vireid.support.files import replacing, sha256, write_json


@dataclass(frozen=True)
class Superresolved:
    """What super-resolution did.

    Attributes:
        scores: `enabled`, `replaced_images` and, where enabled, PSNR (dB) and SSIM of SRCNN and of bicubic
            enlargement on `heldout_images`, and in `originals` the numbers of images with and without the detail.
        warning: What makes the scores say less than they seem to, or nothing.
    """

    scores: dict[str, Any]
    warning: str


def superresolve(
    params: Params, images: Path, overlay: Path, weights: Path, report: Path, plots: Path
) -> Superresolved:
    """Train SRCNN on one camera's training images and write the overlay.

    Args:
        params: Reads `seed`, `dataset.root`, `superresolve` and `compute`.
        images: The packed images.
        overlay: To write; without images where super-resolution is switched off.
        weights: To write; without tensors where it is switched off.
        report: JSON to write: the scores.
        plots: Folder to write: `training.csv`, the curve, without rows where it is switched off, and else
            `comparison.png`.

    Raises:
        UserError: If the camera has no visible training images, or fewer identities than are held out; if an
            original cannot be read, or DVC would not see when it changes.
    """
    with open_images(images) as file:
        info, visible = file.info, file.records("train", Modality.VISIBLE)
    settings = params.superresolve
    if not settings.enabled:
        _save_weights({}, weights)
        write_report(plots, [])
        with create_images(overlay, info):
            nothing = {"enabled": False, "replaced_images": 0}
        write_json(report, nothing)
        return Superresolved(nothing, "")
    _check_originals(Path(params.dataset.root), visible, settings)
    records = _records_of_camera(visible, settings)
    pids = [record.pid for record in records]
    stream = Stream.SUPERRESOLUTION_HOLDOUT
    held_out = np.isin(pids, draw_holdout(pids, settings.holdout_pids, params.seed, stream))

    device = replace(choose_device(params.compute), precision="fp32").fabric().device
    originals = Originals(
        Path(params.dataset.root), [record.name for record in records], Scaling.parse(info.sixteen_bit, images)
    )
    network, scores, warning = _fit(originals, held_out, params, device, plots)
    _save_weights(network.cpu().state_dict(), weights)

    inputs = originals.load(settings.apply.height, settings.apply.width)
    output = settings.output
    sharpened = superresolve_images(network.to(device), inputs, output.height, output.width, device)
    provenance = f"srcnn camera {settings.camera}, weights {sha256(weights)[:12]}"
    with create_images(overlay, replace(info, superresolve=provenance)) as writer:
        writer.append(records, resized(sharpened, info.height, info.width))
    scores = {"enabled": True, "replaced_images": len(records), **scores}
    write_json(report, scores)
    return Superresolved(scores, warning)


def _fit(
    originals: Originals, held_out: np.ndarray, params: Params, device: torch.device, plots: Path
) -> tuple[SRCNN, dict[str, Any], str]:
    """Fit SRCNN to the originals that have the detail, and compare it with bicubic enlargement on held-out ones.

    Returns:
        The network in eval mode; `psnr` (dB) and `ssim` over `heldout_images`, and in `originals` the numbers of
        images with and without the detail, with the scores of `enlarged` ones where both kinds were held out; and
        a warning where images lack it, or nothing.
    """
    settings = params.superresolve
    target = SCALE * settings.input.height, SCALE * settings.input.width
    choice = choose_originals(originals.at_least(*target), held_out, settings.batch_size)
    unseen, fitted = originals.load(*target, choice.scored), originals.load(*target, choice.fitted)
    curve = Curve(unseen, device)
    network = train_srcnn(fitted, settings, params.seed, device, curve.log)
    del fitted
    scores = score_against_bicubic(network, unseen, device)
    counts: dict[str, Any] = choice.report()
    if choice.enlarged.any():
        counts["enlarged"] = score_against_bicubic(network, originals.load(*target, choice.enlarged), device)
    write_report(plots, curve.rows, draw_comparison(network, unseen, device))
    return network, {"heldout_images": len(unseen), **scores, "originals": counts}, choice.warning(*target)


def _check_originals(root: Path, visible: list[ImageRecord], settings: Superresolve) -> None:
    """Check that the images are read that ingest has read: nothing has been linked or hidden since."""
    names = [record.name for record in visible if record.camid == settings.camera]
    remedy = "restore the file, or run `dvc repro` to ingest again"
    read_dataset(root).require(names, "an original is missing", "the image that ingest packed", remedy)


def _records_of_camera(visible: list[ImageRecord], settings: Superresolve) -> list[ImageRecord]:
    records = [record for record in visible if record.camid == settings.camera]
    require_superresolved_identities({r.camid for r in visible}, {r.pid for r in records}, settings)
    return records


def _save_weights(state: dict[str, Tensor], path: Path) -> None:
    with replacing(path) as partial:
        partial.write_bytes(save(state))
