"""Which images a protocol takes from a features file: queries and a gallery for each trial."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from vireid.datasets.protocol import Protocol
from vireid.retrieval.features import Features, FeatureSet
from vireid.support.errors import UserError

Draw = Callable[[Sequence[Sequence[int]], int, int], list[int]]  # (cells, shots, trial) -> positions
Cells = Sequence[Sequence[int]]  # positions of the images of each (identity, camera), by name within a cell


@dataclass(frozen=True)
class Selection:
    """The images of one protocol.

    Attributes:
        queries: (R,) rows of the query modality's group that can be drawn, ascending.
        query_pids: (R,) int32, their identities.
        asked: For each trial (Q,) ascending positions in `queries`.
        pool: (P,) rows of the gallery modality's group that can be drawn, by identity, camera and name.
        galleries: For each trial (G,) ascending positions in `pool`.
        identities: Number of identities in the gallery (every identity of the pool is in each gallery).
        short_cells: Number of (identity, camera) pairs that have fewer images than `protocol.shots`.
        junk_queries: Number of images with a negative pid that would be queries if somebody knew the person.
        junk_gallery: The same of the gallery.
    """

    queries: np.ndarray
    query_pids: np.ndarray
    asked: tuple[np.ndarray, ...]
    pool: np.ndarray
    galleries: tuple[np.ndarray, ...]
    identities: int
    short_cells: int
    junk_queries: int
    junk_gallery: int

    @property
    def query_rows(self) -> list[np.ndarray]:
        """For each trial (Q,) rows of the query modality's group, ascending."""
        return [self.queries[asked] for asked in self.asked]

    @property
    def gallery_rows(self) -> list[np.ndarray]:
        """For each trial (G,) rows of the gallery modality's group, by identity, camera and name."""
        return [self.pool[gallery] for gallery in self.galleries]


def select_images(features: Features, protocol: Protocol) -> Selection:
    """Draw a protocol's queries and galleries.

    Images with a negative pid are in neither, and only counted: nobody knows whom they show, so they would be
    neither right nor wrong. Market-1501 marks junk by -1; its distractors, pid 0, are gallery images like others.

    Raises:
        UserError: If the protocol is for another data set or for one with other splits, or finds no query or no
            gallery image.
    """
    if features.info.dataset != protocol.dataset:
        raise UserError(
            protocol.name,
            "the protocol is for another data set than the features",
            expected=f"features of {protocol.dataset}",
            found=f"features of {features.info.dataset}",
            remedy="set evaluate.protocols to protocols of the data set, or extract this data set's features",
        )
    _check_split(features, protocol)
    askers, images = (features.group(m) for m in (protocol.query_modality, protocol.gallery_modality))
    queries, junk_queries = _rows_of_cameras(features, protocol, "query")
    pool, junk_gallery = _rows_of_cameras(features, protocol, "gallery")
    pool = pool[ranking_order(images, pool)]
    query_cells, cells = _cells(askers, queries), _cells(images, pool)
    ask = _draw(protocol.query_draw, protocol, askers, queries)
    draw = _draw(protocol.gallery_draw, protocol, images, pool)
    trials = range(protocol.trials)
    return Selection(
        queries=queries,
        query_pids=askers.pid[queries],
        asked=tuple(np.sort(ask(query_cells, protocol.query_shots, trial)) for trial in trials),
        pool=pool,
        galleries=tuple(np.sort(draw(cells, protocol.shots, trial)) for trial in trials),
        identities=len(np.unique(images.pid[pool])),
        short_cells=sum(len(cell) < protocol.shots for cell in cells),
        junk_queries=junk_queries,
        junk_gallery=junk_gallery,
    )


def _check_split(features: Features, protocol: Protocol) -> None:
    """Refuse features that do not say of which of the data set's splits they are, or name one it does not have."""
    splits = range(1, protocol.splits + 1) if protocol.splits else range(1)
    if features.info.trial not in splits:
        raise UserError(
            protocol.name,
            "the features are of no split of this data set",
            expected=f"a trial from 1 to {protocol.splits}" if protocol.splits else "trial 0: there is one split",
            found=f"trial {features.info.trial}",
            remedy="set dataset.trial and run `dvc repro`; a model is tested on the trial that it was trained on",
        )


def _draw(name: str, protocol: Protocol, images: FeatureSet, rows: np.ndarray) -> Draw:
    """Look a way of drawing up; the official one also needs what the features say of each image."""
    if name != "official":
        return DRAWS[name]
    places = images.optional.get("official_places")
    if places is None or places.shape[1:] != (protocol.trials,):
        raise UserError(
            protocol.name,
            "the features do not hold the official galleries",
            expected=f"a column official_places of {protocol.trials} trials beside the gallery's embeddings",
            found="none" if places is None else f"shape {places.shape}",
            remedy="set dataset.gallery_draw: official before ingest and run `dvc repro`, or set it to seeded",
        )
    return partial(official_draw, places[rows])


def _rows_of_cameras(features: Features, protocol: Protocol, role: str) -> tuple[np.ndarray, int]:
    """List the images of known people by a role's cameras, and count those of nobody known."""
    camids = getattr(protocol, f"{role}_camids")
    modality = getattr(protocol, f"{role}_modality")
    images = features.group(modality)
    present = images.camid
    rows = np.flatnonzero(np.isin(present, camids)) if camids else np.arange(len(present))
    identified = rows[images.identified[rows]]
    if len(rows) and not len(identified):
        raise UserError(
            protocol.name,
            f"no {role} image of a known person",
            expected=f"{modality.group} images with a pid from 0 on",
            found=f"{len(rows)} {modality.group} images, all with a negative pid, which marks junk",
            remedy="write the people's numbers into the column pid, or leave this protocol out",
        )
    if not len(rows):
        raise UserError(
            protocol.name,
            f"no {role} image",
            expected=f"{modality.group} images of the cameras {', '.join(map(str, camids)) or '(any)'}",
            found=f"{len(present)} {modality.group} images, of the cameras {np.unique(present).tolist()}",
            remedy="check the data set and run `dvc repro`, or leave this protocol out of evaluate.protocols",
        )
    return identified, len(rows) - len(identified)


def ranking_order(images: FeatureSet, rows: np.ndarray) -> np.ndarray:
    """Sort rows by identity, camera and name, the order in which equal distances are ranked.

    Returns:
        (len(rows),) positions in `rows`.
    """
    return np.lexsort([images.name[rows].astype(str), images.camid[rows], images.pid[rows]])


def _cells(images: FeatureSet, rows: np.ndarray) -> list[list[int]]:
    """Group positions in `rows` by identity and camera, in this order, each group by name."""
    order = ranking_order(images, rows)
    pid, camid = images.pid[rows[order]], images.camid[rows[order]]
    starts = np.flatnonzero((np.diff(pid) != 0) | (np.diff(camid) != 0)) + 1
    return [cell.tolist() for cell in np.split(order, starts)]


def seeded_draw(cells: Cells, shots: int, trial: int) -> list[int]:
    """Draw a gallery as the field's Python code does.

    The generator is seeded with the trial's number; identities ascending, cameras in order, one `choice` among the
    sorted names for a single shot. That is theirs; for several shots, which they do not have, one `sample`.
    M. Ye et al., "Deep Learning for Person Re-Identification: A Survey and Outlook", TPAMI 2021, and the
    repositories that followed it.

    Args:
        cells: The images of each (identity, camera), in that order, each cell sorted by name.
        shots: Images to draw from each cell; a smaller cell is taken whole.
        trial: Number of the trial, from 0.

    Example:
        >>> seeded_draw([[0, 1, 2], [3, 4]], shots=1, trial=0)
        [1, 4]
    """
    generator = random.Random(trial)  # noqa: S311 the published galleries, not a secret
    if shots == 1:
        return [generator.choice(cell) for cell in cells]
    return [image for cell in cells for image in generator.sample(cell, min(shots, len(cell)))]


def all_images(cells: Cells, shots: int, trial: int) -> list[int]:
    """Take every image of every cell."""
    return [image for cell in cells for image in cell]


def official_draw(places: np.ndarray, cells: Cells, shots: int, trial: int) -> list[int]:
    """Take the first images of the shuffles that the data set's authors published.

    Args:
        places: (P, T) int, each image's place, from 0, in the shuffle of its cell for each trial.
        cells: The images of each (identity, camera).
        shots: Images to draw from each cell; a smaller cell is taken whole.
        trial: Number of the trial, from 0.
    """
    return [image for cell in cells for image in sorted(cell, key=lambda i: places[i, trial])[:shots]]


DRAWS: dict[str, Draw] = {"seeded": seeded_draw, "all": all_images}
