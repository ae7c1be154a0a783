"""What a training run sees: the training split, super-resolved, without the identities that are held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vireid.data.identities import require_both_modalities, require_training_identities
from vireid.data.randomness import Stream, draw_holdout
from vireid.data.records import Modality
from vireid.data.store import ImageSet, ImagesInfo, open_images
from vireid.data.stored_images import StoredImages
from vireid.params import Train
from vireid.support.errors import UserError
from vireid.support.progress import Bar, progress

_GIB = 1 << 30
_BLOCK = 1024  # images read at a time


@dataclass(frozen=True)
class TrainingImages:
    """What one training run sees.

    Attributes:
        info: Where the images come from, overlay included.
        fitted: Per modality, the images that the weights are fitted to.
        holdout: Per modality, the original images of held-out training identities, for choosing the epoch.
        pids: Identities that are fitted, sorted; an image's label is its identity's place in here.
    """

    info: ImagesInfo
    fitted: tuple[ImageSet, ImageSet]
    holdout: tuple[ImageSet, ImageSet]
    pids: np.ndarray

    @cached_property
    def labels(self) -> tuple[np.ndarray, np.ndarray]:
        """Labels of the fitted images per modality, (N,) int64 in [0, len(pids))."""
        visible, infrared = (np.searchsorted(self.pids, part.pid) for part in self.fitted)
        return visible, infrared


def load_training_images(images: Path, overlay: Path, settings: Train, seed: int, memory: float) -> TrainingImages:
    """Read the training split, put the super-resolved images in place and set identities aside.

    Args:
        images: `images.h5`.
        overlay: `superresolved.h5`, possibly without images.
        settings: Says how many identities are held out.
        seed: Draws which ones.
        memory: GiB that the images may take; more than that stays in the files.

    Raises:
        UserError: If the overlay was made from other images, or an identity lacks one modality.
    """
    with open_images(images) as file, open_images(overlay) as replaced:
        info = replaced.info
        expected, found = (
            f"{i.height} x {i.width} pixels of source {i.source_hash[:12]}" for i in (file.info, info)
        )
        if found != expected:
            raise UserError(
                overlay,
                "made from other images",
                expected=expected,
                found=found,
                remedy="run `dvc repro superresolve`",
            )
        originals = [file.stored("train", modality) for modality in Modality]
        replacements = [replaced.stored("train", modality) for modality in Modality]
    pids = _pids_of_both(originals)
    require_training_identities(len(pids), settings)
    held_out = draw_holdout(pids, settings.holdout_pids, seed, Stream.HOLDOUT)
    # What chooses the epoch is as the test images are: never super-resolved.
    holdout = [part.select(held_out) for part in originals]
    fitted_pids = np.setdiff1d(pids, held_out)
    fitted = [
        part.select(fitted_pids).overlaid(replacement.select(fitted_pids))
        for part, replacement in zip(originals, replacements, strict=True)
    ]
    parts = [*fitted, *holdout]
    if sum(part.image.nbytes for part in parts) <= memory * _GIB:
        parts = _in_memory(parts)
    visible, infrared, held_out_visible, held_out_infrared = parts
    return TrainingImages(info, (visible, infrared), (held_out_visible, held_out_infrared), fitted_pids)


def _in_memory(parts: Sequence[ImageSet]) -> list[ImageSet]:
    """Read the images of some sets."""
    loaded = []
    with progress("load training images", sum(map(len, parts)), "images") as bar:
        for part in parts:
            image = copied(part.image, torch.device("cpu"), bar)
            loaded.append(replace(part, image=image.numpy()))
    return loaded


def copied(images: np.ndarray | StoredImages, device: torch.device, bar: Bar) -> Tensor:
    """Copy images to a device, a block at a time: those that are still in a file may not fit the host's memory.

    Args:
        images: (N, H, W, 3) uint8.
        device: Where to.
        bar: Is advanced by every image.

    Returns:
        (N, H, W, 3) uint8.
    """
    copy = torch.empty(images.shape, dtype=torch.uint8, device=device)
    for start in range(0, len(images), _BLOCK):
        block = np.asarray(images[start : start + _BLOCK])
        copy[start : start + _BLOCK] = torch.from_numpy(block)
        bar.advance(len(block))
    return copy


def _pids_of_both(sets: list[ImageSet]) -> np.ndarray:
    visible, infrared = (np.unique(images.pid) for images in sets)
    require_both_modalities(visible.tolist(), infrared.tolist())
    return visible
