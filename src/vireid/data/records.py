"""What one image of a data set is, parsed once from its path."""

from dataclasses import dataclass
from enum import IntEnum


class Modality(IntEnum):
    """The spectrum an image was taken in; also the index of its stem in a two-stream network."""

    VISIBLE = 0
    INFRARED = 1

    @property
    def group(self) -> str:
        """Name of this modality's HDF5 group."""
        return self.name.lower()


SPLITS = ("train", "test")

OPTIONAL_COLUMNS = ("location", "official_places")
"""Attributes of a record that only some data sets have; they travel with the images to evaluate."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image file of a data set.

    Attributes:
        name: Path relative to the data set's root, POSIX style.
        pid: The data set's own identity number.
        camid: Camera number as the data set counts.
        modality: The spectrum of the camera.
        split: `train` or `test`.
        location: The place that the camera watches, for data sets that say so of each image.
        official_places: The image's places, from 0, in the official shuffles of its identity and camera, one for
            each trial, for data sets whose galleries are drawn by them.
    """

    name: str
    pid: int
    camid: int
    modality: Modality
    split: str
    location: int | None = None
    official_places: tuple[int, ...] | None = None
