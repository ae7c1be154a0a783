"""Which images a protocol takes from a features file: the queries, and one gallery for each trial."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from vireid.retrieval.features import Features, FeatureSet
from vireid.retrieval.protocols import Protocol
from vireid.support.errors import UserError

Cells = Sequence[Sequence[int]]  # positions of the images of each (identity, camera), by name within a cell


@dataclass(frozen=True)
class Selection:
    """The images of one protocol.

    Attributes:
        queries: (Q,) rows of the query modality's group.
        pool: (P,) rows of the gallery modality's group that can be drawn, by identity, camera and name.
        galleries: For each trial (G,) ascending positions in `pool`.
        identities: Number of identities in the gallery (every identity of the pool is in each gallery).
        short_cells: Number of (identity, camera) pairs that have fewer images than `protocol.shots`.
    """

    queries: np.ndarray
    pool: np.ndarray
    galleries: tuple[np.ndarray, ...]
    identities: int
    short_cells: int


def select_images(features: Features, protocol: Protocol) -> Selection:
    """Pick a protocol's queries and draw its galleries.

    Raises:
        UserError: If the protocol is for another data set, or finds no query or no gallery image.
    """
    if features.info.dataset != protocol.dataset:
        raise UserError(
            protocol.name,
            "the protocol is for another data set than the features",
            expected=f"features of {protocol.dataset}",
            found=f"features of {features.info.dataset}",
            remedy="set evaluate.protocols to protocols of the data set, or extract this data set's features",
        )
    queries = _rows_of_cameras(features, protocol, "query")
    pool = _rows_of_cameras(features, protocol, "gallery")
    images = features.of(protocol.gallery_modality)
    pool = pool[np.lexsort([images.name[pool].astype(str), images.camid[pool], images.pid[pool]])]
    cells = _cells(images, pool)
    draw = GALLERY_DRAWS[protocol.gallery_draw]
    return Selection(
        queries=queries,
        pool=pool,
        galleries=tuple(np.sort(draw(cells, protocol.shots, trial)) for trial in range(protocol.trials)),
        identities=len(np.unique(images.pid[pool])),
        short_cells=sum(len(cell) < protocol.shots for cell in cells),
    )


def _rows_of_cameras(features: Features, protocol: Protocol, role: str) -> np.ndarray:
    camids = getattr(protocol, f"{role}_camids")
    modality = getattr(protocol, f"{role}_modality")
    present = features.of(modality).camid
    rows = np.flatnonzero(np.isin(present, camids))
    if not len(rows):
        raise UserError(
            protocol.name,
            f"no {role} image",
            expected=f"{modality.group} images of the cameras {', '.join(map(str, camids))}",
            found=f"{len(present)} {modality.group} images, of the cameras {np.unique(present).tolist()}",
            remedy="check the data set and run `dvc repro`, or leave this protocol out of evaluate.protocols",
        )
    return rows


def _cells(images: FeatureSet, pool: np.ndarray) -> list[range]:
    """Split the ordered pool into its runs of equal identity and camera."""
    pid, camid = images.pid[pool], images.camid[pool]
    starts = np.flatnonzero((np.diff(pid) != 0) | (np.diff(camid) != 0)) + 1
    bounds = [0, *starts.tolist(), len(pool)]
    return [range(start, stop) for start, stop in pairwise(bounds)]


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


GALLERY_DRAWS: dict[str, Callable[[Cells, int, int], list[int]]] = {"seeded": seeded_draw}
