"""What a training run sees: the training split, super-resolved, without the identities that are held out."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from vireid.data.identities import require_both_modalities, require_training_identities
from vireid.data.randomness import Stream, generator
from vireid.data.records import Modality
from vireid.data.store import ImageSet, ImagesInfo, open_images
from vireid.params import Train
from vireid.support.errors import UserError
from vireid.support.progress import progress

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
        return tuple(np.searchsorted(self.pids, part.pid) for part in self.fitted)


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
    held_out = _draw_holdout(pids, settings, seed)
    # What chooses the epoch is as the test images are: never super-resolved.
    holdout = tuple(part.of(held_out) for part in originals)
    fitted_pids = np.setdiff1d(pids, held_out)
    fitted = tuple(
        part.of(fitted_pids).overlaid(replacement.of(fitted_pids))
        for part, replacement in zip(originals, replacements, strict=True)
    )
    if sum(part.image.nbytes for part in (*fitted, *holdout)) <= memory * _GIB:
        loaded = _in_memory((*fitted, *holdout))
        fitted, holdout = loaded[: len(fitted)], loaded[len(fitted) :]
    return TrainingImages(info, fitted, holdout, fitted_pids)


def _in_memory(parts: tuple[ImageSet, ...]) -> tuple[ImageSet, ...]:
    """Read the images of some sets."""
    loaded = []
    with progress("load training images", sum(map(len, parts)), "images") as bar:
        for part in parts:
            image = np.empty(part.image.shape, np.uint8)
            for start in range(0, len(part), _BLOCK):
                block = part.image[start : start + _BLOCK]
                image[start : start + _BLOCK] = block
                bar.advance(len(block))
            loaded.append(replace(part, image=image))
    return tuple(loaded)


def _pids_of_both(sets: list[ImageSet]) -> np.ndarray:
    visible, infrared = (np.unique(images.pid) for images in sets)
    require_both_modalities(visible.tolist(), infrared.tolist())
    return visible


def _draw_holdout(pids: np.ndarray, settings: Train, seed: int) -> np.ndarray:
    require_training_identities(len(pids), settings)
    return np.sort(generator(seed, Stream.HOLDOUT).choice(pids, settings.holdout_pids, replace=False))
