"""The originals that SRCNN learns from: which of them have the detail, and their pixels.

SRCNN learns to bring back what a reduction to a quarter has taken away. An image that is smaller than the target
is enlarged to it first: it has no such detail, bicubic interpolation is nearly all there is to learn from it, and
its PSNR is flattering.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vireid.data.decode import decode, native_size, quiet_pillow
from vireid.data.sixteen_bit import Scaling
from vireid.support.errors import UserError
from vireid.support.files import inside
from vireid.support.progress import track


@dataclass(frozen=True)
class Originals:
    """Image files of a data set, to be read at sizes of their own rather than the packed one.

    Attributes:
        root: The data set.
        names: Paths relative to it.
        scaling: How ingest has read 16-bit images.
    """

    root: Path
    names: Sequence[str]
    scaling: Scaling

    def at_least(self, height: int, width: int) -> np.ndarray:
        """Find the images that have so many pixels in both directions, by the files' headers: (N,) bool.

        Raises:
            UserError: If a header cannot be read.
        """
        large = np.empty(len(self.names), bool)
        with quiet_pillow():
            for row, name in enumerate(self.names):
                try:
                    native_height, native_width = native_size(inside(self.root, name))
                except ValueError as error:
                    raise _unreadable(self.root / name, error) from error
                large[row] = native_height >= height and native_width >= width
        return large

    def load(self, height: int, width: int, rows: np.ndarray | None = None) -> np.ndarray:
        """Decode images.

        Args:
            height: Pixels.
            width: Pixels.
            rows: (N,) bool, which of them; None for all.

        Returns:
            (N, height, width, 3) uint8 RGB.

        Raises:
            UserError: If a file cannot be decoded.
        """
        names = self.names if rows is None else [self.names[row] for row in np.flatnonzero(rows).tolist()]
        images = np.empty((len(names), height, width, 3), np.uint8)
        with quiet_pillow():
            for row, name in enumerate(track(names, "load originals", len(names), "images")):
                decoded = decode(inside(self.root, name), height, width, self.scaling)
                if decoded.image is None:
                    raise _unreadable(self.root / name, decoded.problem)
                images[row] = decoded.image
        return images


@dataclass(frozen=True)
class Choice:
    """Which of a camera's training images SRCNN is fitted to and scored on.

    Attributes:
        detailed: (N,) bool, images that are at least as large as the target.
        held_out: (N,) bool, images of identities that SRCNN is not fitted to.
        fitted: (N,) bool, what it is fitted to: those with the detail, or all where they do not fill a batch.
        scored: (N,) bool, what it is scored on: those with the detail, or all where there are none.
        enlarged: (N,) bool, held-out images that are scored apart: without the detail, where others have it.
    """

    detailed: np.ndarray
    held_out: np.ndarray
    fitted: np.ndarray
    scored: np.ndarray
    enlarged: np.ndarray

    def report(self) -> dict[str, Any]:
        """Count images with and without the detail, and those that were fitted and scored."""

        def counted(rows: np.ndarray) -> dict[str, int]:
            return {"detailed": int((rows & self.detailed).sum()), "enlarged": int((rows & ~self.detailed).sum())}

        return {
            "training": counted(~self.held_out) | {"fitted": int(self.fitted.sum())},
            "heldout": counted(self.held_out) | {"scored": int(self.scored.sum())},
        }

    def warning(self, height: int, width: int) -> str:
        """Say how many images lack the detail of a target of `height` x `width` pixels; empty where none do."""
        lacking = int((~self.detailed).sum())
        if not lacking:
            return ""
        share = f"{lacking:,} of {len(self.detailed):,} originals are smaller than {height} x {width} pixels"
        measured = "of the others" if (self.scored & self.detailed).any() else "of enlarged images, and flattering"
        learned = "from them too" if (self.fitted & ~self.detailed).any() else "only from the others"
        return (
            f"{share} (4x superresolve.input) and lack its detail; PSNR and SSIM are {measured}; SRCNN learns "
            f"{learned}; lower superresolve.input to learn from more"
        )


def choose_originals(detailed: np.ndarray, held_out: np.ndarray, batch_size: int) -> Choice:
    """Choose what SRCNN is fitted to and scored on.

    Args:
        detailed: (N,) bool, images that are at least as large as the target.
        held_out: (N,) bool, images of held-out identities.
        batch_size: So many images must have the detail, or it is fitted to all.
    """
    fitted = ~held_out & detailed
    if fitted.sum() < batch_size:
        fitted = ~held_out
    scored = held_out & detailed
    if not scored.any():
        scored = held_out
    return Choice(detailed, held_out, fitted, scored, held_out & ~scored)


def _unreadable(path: Path, problem: object) -> UserError:
    return UserError(
        path,
        "an image that cannot be read",
        expected="the image that ingest packed",
        found=problem,
        remedy="restore the file, or run `dvc repro` to ingest again",
    )
