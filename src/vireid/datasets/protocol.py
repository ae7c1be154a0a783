"""Evaluation protocols: every choice that changes a number is a named field of a named value.

Each data set defines its own beside its layout, in `vireid.datasets`.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from vireid.data.records import Modality


@dataclass(frozen=True)
class Protocol:
    """How a data set's test images are turned into a number.

    Attributes:
        name: The data set and what is done with it, as `<dataset>/<mode>/<shots>` or `<dataset>/<direction>`.
        dataset: The data set that it is defined for.
        splits: Splits that the data set itself defines, each with a model of its own; features are of one of them,
            by `trial`. 0 for a data set that is split once.
        query_modality: Spectrum of the images that are searched with.
        gallery_modality: Spectrum of the images that are searched.
        query_camids: Cameras of the queries; empty where all cameras are.
        gallery_camids: Cameras of the gallery, ascending; empty where all cameras are.
        query_shots: Queries per (identity, camera); 0 where all images are queries.
        query_draw: How the queries are drawn, a key of `galleries.DRAWS`.
        shots: Gallery images per (identity, camera); fewer where a camera has fewer of an identity; 0 where all
            images are in the gallery.
        trials: Number of random galleries over which results are averaged.
        gallery_draw: How the galleries are drawn, a key of `galleries.DRAWS`, or `official`: by the
            shuffles of the data set's authors.
        exclusion: Which gallery images a query must ignore, a key of `EXCLUSIONS`.
        locations: (camera, location) pairs; cameras of equal location watch the same place. Empty where the
            features say where each image was taken; if they do not, each camera is a place of its own.
        cmc_counting: What the ranks of the CMC count, a key of `counting.CMC_RANKS`.
        normalise: Whether embeddings are scaled to unit length first.
        distance: What orders the gallery, a key of `distances.DISTANCES`.
    """

    name: str
    dataset: str
    splits: int
    query_modality: Modality
    gallery_modality: Modality
    query_camids: tuple[int, ...]
    gallery_camids: tuple[int, ...]
    query_shots: int
    query_draw: str
    shots: int
    trials: int
    gallery_draw: str
    exclusion: str
    locations: tuple[tuple[int, int], ...]
    cmc_counting: str
    normalise: bool
    distance: str

    def as_dict(self) -> dict[str, object]:
        """Return all fields as values that JSON can hold."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        modalities = {key: values[key].group for key in ("query_modality", "gallery_modality")}
        return values | modalities | {"locations": {str(camid): place for camid, place in self.locations}}

    def places(self, camids: np.ndarray, locations: np.ndarray | None = None) -> np.ndarray:
        """Say where images were taken.

        Args:
            camids: (N,) int, their cameras.
            locations: (N,) int or None, what the features say.

        Returns:
            (N,) int.
        """
        if self.locations:
            place_of = dict(self.locations)
            return np.array([place_of[camid] for camid in camids.tolist()])
        return camids if locations is None else locations

    def junk(self, match: np.ndarray, query_places: np.ndarray, gallery_places: np.ndarray) -> np.ndarray:
        """Mark the gallery images that each query must ignore.

        Args:
            match: (Q, G) bool, True where query and gallery image show the same identity.
            query_places: (Q,) int.
            gallery_places: (G,) int.

        Returns:
            (Q, G) bool.
        """
        return EXCLUSIONS[self.exclusion](match, query_places[:, None] == gallery_places[None, :])


def same_location(match: np.ndarray, same_place: np.ndarray) -> np.ndarray:
    """Mark gallery images taken at the query's own place, of every identity (SYSU-MM01 authors' code)."""
    return same_place


def same_identity_same_location(match: np.ndarray, same_place: np.ndarray) -> np.ndarray:
    """Mark gallery images of the query's own identity taken at its own place (LLCM authors' code)."""
    return match & same_place


def nothing(match: np.ndarray, same_place: np.ndarray) -> np.ndarray:
    """Mark no gallery image: every query searches all of it."""
    return np.zeros_like(match)


EXCLUSIONS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "same_location": same_location,
    "same_identity_same_location": same_identity_same_location,
    "none": nothing,
}

DIRECTIONS = {
    "visible_to_infrared": (Modality.VISIBLE, Modality.INFRARED),
    "infrared_to_visible": (Modality.INFRARED, Modality.VISIBLE),
}
GALLERIES = ("all_images", "single_shot")


def between_spectra(dataset: str) -> list[Protocol]:
    """The protocols of cameras for which nobody has set any: each spectrum searches the other, in two ways.

    Args:
        dataset: Name of the data set.

    Returns:
        For each direction one in which all images are the gallery, and one with ten draws of an image of each
        identity and camera.
    """
    return [_between_spectra(dataset, direction, gallery) for direction in DIRECTIONS for gallery in GALLERIES]


def _between_spectra(dataset: str, direction: str, gallery: str) -> Protocol:
    single = gallery == "single_shot"
    return Protocol(
        name=f"{dataset}/{direction}/{gallery}",
        dataset=dataset,
        splits=0,
        query_modality=DIRECTIONS[direction][0],
        gallery_modality=DIRECTIONS[direction][1],
        query_camids=(),
        gallery_camids=(),
        query_shots=0,
        query_draw="all",
        shots=1 if single else 0,
        trials=10 if single else 1,
        gallery_draw="seeded" if single else "all",
        exclusion="same_identity_same_location",
        locations=(),
        cmc_counting="identity" if single else "image",
        normalise=True,
        distance="euclidean",
    )
