"""The training images in memory, and the batches drawn from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vireid.data.augmentation import augmented
from vireid.data.randomness import Stream, generator
from vireid.data.records import Modality
from vireid.data.samplers import IdentityBalancedSampler
from vireid.data.store import ImageSet, ImagesInfo, open_images
from vireid.params import Train
from vireid.support.errors import UserError


@dataclass(frozen=True)
class Batch:
    """`images` (B, 3, H, W) float32, `labels` (B,) and `modality` (B,) int64; the visible half comes first."""

    images: Tensor
    labels: Tensor
    modality: Tensor


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


def load_training_images(images: Path, overlay: Path, settings: Train, seed: int) -> TrainingImages:
    """Read the training split, put the super-resolved images in place and set identities aside.

    Args:
        images: `images.h5`.
        overlay: `superresolved.h5`, possibly without images.
        settings: Says how many identities are held out.
        seed: Draws which ones.

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
        originals = [file.read("train", modality) for modality in Modality]
        replacements = [replaced.read("train", modality) for modality in Modality]
    pids = _pids_of_both(originals)
    held_out = _draw_holdout(pids, settings, seed)
    # What chooses the epoch is as the test images are: never super-resolved.
    holdout = tuple(part.of(held_out) for part in originals)
    fitted_pids = np.setdiff1d(pids, held_out)
    fitted = tuple(
        part.of(fitted_pids).overlaid(replacement.of(fitted_pids))
        for part, replacement in zip(originals, replacements, strict=True)
    )
    return TrainingImages(info, fitted, holdout, fitted_pids)


def batches(
    images: TrainingImages, settings: Train, seed: int, epoch: int, device: torch.device
) -> Iterator[Batch]:
    """Yield an epoch's augmented batches; each depends on (seed, epoch, step) alone."""
    for step, rows in enumerate(sampler(images, settings, seed).epoch(epoch)):
        rng = generator(seed, Stream.AUGMENTATION, epoch, step)
        pixels = np.concatenate([part.image[chosen] for part, chosen in zip(images.fitted, rows, strict=True)])
        target = np.concatenate([part[chosen] for part, chosen in zip(images.labels, rows, strict=True)])
        modality = torch.arange(len(Modality), device=device).repeat_interleave(len(rows[0]))
        batch = augmented(pixels, modality, settings.augmentation, rng, device)
        yield Batch(batch, torch.from_numpy(target).to(device), modality)


def sampler(images: TrainingImages, settings: Train, seed: int) -> IdentityBalancedSampler:
    """Build the identity-balanced sampler over the fitted images."""
    return IdentityBalancedSampler(
        images.labels, settings.num_pids, settings.num_instances, settings.steps_per_epoch, seed
    )


def _pids_of_both(sets: list[ImageSet]) -> np.ndarray:
    visible, infrared = (np.unique(images.pid) for images in sets)
    lacking = np.setxor1d(visible, infrared)
    if len(lacking):
        raise UserError(
            "training images",
            f"{len(lacking)} identities lack one modality",
            expected="visible and infrared images of every training identity",
            found=f"identities {', '.join(map(str, lacking[:10]))}",
            remedy="take them out of the data set's training split",
        )
    return visible


def _draw_holdout(pids: np.ndarray, settings: Train, seed: int) -> np.ndarray:
    if len(pids) - settings.holdout_pids < settings.num_pids:
        raise UserError(
            "train.holdout_pids",
            "too few training identities are left",
            expected=f"at least train.num_pids = {settings.num_pids}",
            found=f"{len(pids)} - {settings.holdout_pids}",
            remedy="lower train.holdout_pids or train.num_pids",
        )
    return np.sort(generator(seed, Stream.HOLDOUT).choice(pids, settings.holdout_pids, replace=False))
