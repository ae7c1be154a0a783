"""Evaluation protocols: every choice that changes a number is a named field of a named value.

Definitions: SYSU-MM01 is A. Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017, with the
authors' evaluation code (github.com/wuancong/SYSU-MM01). The embedded data set has its cameras and its protocols.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from vireid.data.records import Modality
from vireid.support.errors import UserError


@dataclass(frozen=True)
class Protocol:
    """How a data set's test images are turned into a number.

    Attributes:
        name: `<dataset>/<mode>/<shots>`.
        dataset: The data set that it is defined for.
        query_modality: Spectrum of the images that are searched with.
        gallery_modality: Spectrum of the images that are searched.
        query_camids: Cameras of the queries; all of their test images are queries.
        gallery_camids: Cameras of the gallery, ascending.
        shots: Gallery images per (identity, camera); fewer where a camera has fewer of an identity.
        trials: Number of random galleries over which results are averaged.
        gallery_draw: How the galleries are drawn, a key of `galleries.GALLERY_DRAWS`.
        exclusion: Which gallery images a query must ignore, a key of `EXCLUSIONS`.
        locations: (camera, location) pairs; cameras of equal location watch the same place.
        cmc_counting: What the ranks of the CMC count, a key of `ranking.CMC_RANKS`.
        normalise: Whether embeddings are scaled to unit length first.
        distance: What orders the gallery, a key of `distances.DISTANCES`.
    """

    name: str
    dataset: str
    query_modality: Modality
    gallery_modality: Modality
    query_camids: tuple[int, ...]
    gallery_camids: tuple[int, ...]
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

    def junk(self, query_camids: np.ndarray, gallery_camids: np.ndarray) -> np.ndarray:
        """Mark the gallery images that each query must ignore.

        Args:
            query_camids: (Q,) int.
            gallery_camids: (G,) int.

        Returns:
            (Q, G) bool.
        """
        return EXCLUSIONS[self.exclusion](query_camids, gallery_camids, dict(self.locations))


def same_location(query_camids: np.ndarray, gallery_camids: np.ndarray, locations: dict[int, int]) -> np.ndarray:
    """Mark gallery images taken at the query's own place, of every identity (SYSU-MM01 authors' code).

    Returns:
        (Q, G) bool.
    """
    of_query = np.array([locations[camid] for camid in query_camids.tolist()])
    of_gallery = np.array([locations[camid] for camid in gallery_camids.tolist()])
    return of_query[:, None] == of_gallery[None, :]


EXCLUSIONS: dict[str, Callable[[np.ndarray, np.ndarray, dict[int, int]], np.ndarray]] = {
    "same_location": same_location
}

SYSU_LOCATIONS = ((1, 1), (2, 2), (3, 2), (4, 4), (5, 5), (6, 6))  # infrared camera 3 hangs in room 2
SYSU_MODES = {"all_search": (1, 2, 4, 5), "indoor_search": (1, 2)}  # cameras of the gallery
SYSU_SHOTS = {"single_shot": 1, "multi_shot": 10}


def _sysu_protocol(dataset: str, mode: str, shots: str) -> Protocol:
    return Protocol(
        name=f"{dataset}/{mode}/{shots}",
        dataset=dataset,
        query_modality=Modality.INFRARED,
        gallery_modality=Modality.VISIBLE,
        query_camids=(3, 6),
        gallery_camids=SYSU_MODES[mode],
        shots=SYSU_SHOTS[shots],
        trials=10,
        gallery_draw="seeded",
        exclusion="same_location",
        locations=SYSU_LOCATIONS,
        cmc_counting="identity",
        normalise=True,
        distance="euclidean",
    )


PROTOCOLS: dict[str, Protocol] = {
    named.name: named
    for dataset in ("sysu_mm01", "synthetic")
    for mode in SYSU_MODES
    for shots in SYSU_SHOTS
    for named in [_sysu_protocol(dataset, mode, shots)]
}


def protocol(name: str) -> Protocol:
    """Look a protocol up by its name.

    Raises:
        UserError: If there is none of this name; the message lists those there are.
    """
    if name not in PROTOCOLS:
        raise UserError(
            "evaluate.protocols",
            "unknown protocol",
            expected=f"one of {', '.join(PROTOCOLS)}",
            found=name,
            remedy="correct it in params.yaml",
        )
    return PROTOCOLS[name]
