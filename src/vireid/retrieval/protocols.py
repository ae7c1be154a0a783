"""Evaluation protocols: every choice that changes a number is a named field of a named value.

Definitions: SYSU-MM01 is A. Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017, with the
authors' evaluation code (github.com/wuancong/SYSU-MM01). RegDB is D. T. Nguyen et al., Sensors 17(3), 2017, in the
ten splits of M. Ye et al., AAAI 2018. LLCM is Y. Zhang and H. Wang, CVPR 2023 (github.com/ZYK100/LLCM). The
embedded data sets have their cameras and their protocols.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np

from vireid.data.records import Modality
from vireid.support.errors import UserError


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

SYSU_LOCATIONS = ((1, 1), (2, 2), (3, 2), (4, 4), (5, 5), (6, 6))  # infrared camera 3 hangs in room 2
SYSU_MODES = {"all_search": (1, 2, 4, 5), "indoor_search": (1, 2)}  # cameras of the gallery
SYSU_SHOTS = {"single_shot": 1, "multi_shot": 10}


def _sysu_protocol(dataset: str, mode: str, shots: str) -> Protocol:
    return Protocol(
        name=f"{dataset}/{mode}/{shots}",
        dataset=dataset,
        splits=0,
        query_modality=Modality.INFRARED,
        gallery_modality=Modality.VISIBLE,
        query_camids=(3, 6),
        gallery_camids=SYSU_MODES[mode],
        query_shots=0,
        query_draw="all",
        shots=SYSU_SHOTS[shots],
        trials=10,
        gallery_draw="seeded",
        exclusion="same_location",
        locations=SYSU_LOCATIONS,
        cmc_counting="identity",
        normalise=True,
        distance="euclidean",
    )


REGDB_SPLITS = 10
REGDB_CAMERAS = {Modality.VISIBLE: (1,), Modality.INFRARED: (2,)}
LLCM_CAMERAS = {Modality.VISIBLE: (1, 2, 3, 4, 5, 6, 7, 8, 9), Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9)}
DIRECTIONS = {
    "visible_to_infrared": (Modality.VISIBLE, Modality.INFRARED),
    "infrared_to_visible": (Modality.INFRARED, Modality.VISIBLE),
}


def _regdb_protocol(dataset: str, direction: str) -> Protocol:
    """All test images of one spectrum search all of the other; the CMC is that of the first hit."""
    query, gallery = DIRECTIONS[direction]
    return Protocol(
        name=f"{dataset}/{direction}",
        dataset=dataset,
        splits=REGDB_SPLITS,
        query_modality=query,
        gallery_modality=gallery,
        query_camids=REGDB_CAMERAS[query],
        gallery_camids=REGDB_CAMERAS[gallery],
        query_shots=0,
        query_draw="all",
        shots=0,
        trials=1,
        gallery_draw="all",
        exclusion="none",
        locations=((1, 1), (2, 2)),
        cmc_counting="image",
        normalise=True,
        distance="euclidean",
    )


def _llcm_protocol(dataset: str, direction: str) -> Protocol:
    """All test images of one spectrum search one image of each (identity, camera) of the other."""
    query, gallery = DIRECTIONS[direction]
    return Protocol(
        name=f"{dataset}/{direction}",
        dataset=dataset,
        splits=0,
        query_modality=query,
        gallery_modality=gallery,
        query_camids=LLCM_CAMERAS[query],
        gallery_camids=LLCM_CAMERAS[gallery],
        query_shots=0,
        query_draw="all",
        shots=1,
        trials=10,
        gallery_draw="seeded",
        exclusion="same_identity_same_location",
        locations=tuple((camid, camid) for camid in LLCM_CAMERAS[Modality.VISIBLE]),
        cmc_counting="identity",
        normalise=True,
        distance="euclidean",
    )


def _llcm_released(dataset: str) -> Protocol:
    """What the authors' test program calls visible to infrared: drawn infrared images search all visible ones."""
    return replace(
        _llcm_protocol(dataset, "infrared_to_visible"),
        name=f"{dataset}/visible_to_infrared_as_released",
        query_shots=1,
        query_draw="seeded",
        shots=0,
        gallery_draw="all",
    )


def _manifest_protocol(direction: str, gallery: str) -> Protocol:
    """Search all images of the other spectrum, or one of each (identity, camera), as for one's own images."""
    single = gallery == "single_shot"
    return Protocol(
        name=f"manifest/{direction}/{gallery}",
        dataset="manifest",
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


def _all_protocols() -> Iterator[Protocol]:
    for dataset in ("sysu_mm01", "synthetic"):
        yield from (_sysu_protocol(dataset, mode, shots) for mode in SYSU_MODES for shots in SYSU_SHOTS)
    for dataset in ("regdb", "synthetic_regdb"):
        yield from (_regdb_protocol(dataset, direction) for direction in DIRECTIONS)
    for dataset in ("llcm", "synthetic_llcm"):
        yield from (_llcm_protocol(dataset, direction) for direction in DIRECTIONS)
        yield _llcm_released(dataset)
    for direction in DIRECTIONS:
        yield from (_manifest_protocol(direction, gallery) for gallery in ("all_images", "single_shot"))


PROTOCOLS: dict[str, Protocol] = {named.name: named for named in _all_protocols()}


def protocols_of(dataset: str) -> list[str]:
    """List the names of a data set's protocols.

    Raises:
        UserError: If there is none.
    """
    names = [named.name for named in PROTOCOLS.values() if named.dataset == dataset]
    if not names:
        raise UserError(
            "dataset",
            "no protocol is defined for this data set",
            expected=f"one of {', '.join(dict.fromkeys(named.dataset for named in PROTOCOLS.values()))}",
            found=dataset,
            remedy="write one of these names into the features file; `manifest` is for one's own images",
        )
    return names


def protocol(name: str, gallery_draw: str = "seeded", dataset: str | None = None) -> Protocol:
    """Look a protocol up by its name.

    Args:
        name: A key of `PROTOCOLS`.
        gallery_draw: How it draws its galleries, if it draws any: `seeded` or `official`.
        dataset: The data set that it must be defined for; any without it.

    Raises:
        UserError: If there is none of this name for the data set; the message lists those there are.
    """
    chosen = PROTOCOLS.get(name)
    if chosen is None or dataset not in (None, chosen.dataset):
        named = dataset or name.partition("/")[0]
        names = [key for key, value in PROTOCOLS.items() if value.dataset == named] or list(PROTOCOLS)
        raise UserError(
            "evaluate.protocols",
            "unknown protocol" if chosen is None else "the protocol is for another data set",
            expected=f"one of {', '.join(names)}",
            found=name,
            remedy="correct it (evaluate.protocols, or --protocol); `vireid preset dataset=NAME` sets NAME's own",
        )
    return replace(chosen, gallery_draw=gallery_draw) if chosen.gallery_draw == "seeded" else chosen
