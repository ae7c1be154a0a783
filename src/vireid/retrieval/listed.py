"""What a protocol finds among test images that are listed but not embedded yet."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from vireid.data.records import OPTIONAL_COLUMNS, ImageRecord, Modality
from vireid.datasets.protocol import Protocol
from vireid.params import Dataset
from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo
from vireid.retrieval.galleries import Selection
from vireid.support.errors import UserError


def as_features(records: Sequence[ImageRecord], dataset: Dataset) -> Features:
    """Put test images where embedded ones would stand, so that a protocol can select among them.

    Args:
        records: The images that a layout lists; those of the test split are taken.
        dataset: The data set's parameters.
    """
    none, unknown = np.empty(0, np.int32), "unknown"
    info = FeaturesInfo(dataset.name, dataset.trial, unknown, unknown, unknown, unknown, "none", False, none)
    test = [record for record in records if record.split == "test"]
    parts = (_feature_set([record for record in test if record.modality is modality]) for modality in Modality)
    return Features(info, unknown, *parts)


def _feature_set(records: list[ImageRecord]) -> FeatureSet:
    optional = {key: [getattr(record, key) for record in records] for key in OPTIONAL_COLUMNS}
    return FeatureSet(
        np.array([record.pid for record in records], np.int32),
        np.array([record.camid for record in records], np.int16),
        np.array([record.name for record in records], object),
        {},
        {key: np.array(column, np.int16) for key, column in optional.items() if column and None not in column},
    )


def require_match(features: Features, protocol: Protocol, selection: Selection) -> None:
    """Check that at least one query has an image to find.

    Args:
        features: The test images.
        protocol: Says what a query must ignore.
        selection: The protocol's queries and galleries.

    Raises:
        UserError: If no query has, so that no mean could be taken.
    """
    queries = _pids_and_places(features, protocol, protocol.query_modality, selection.queries)
    places: dict[int, list[int]] = defaultdict(list)
    for pid, place in _pids_and_places(features, protocol, protocol.gallery_modality, selection.pool):
        places[pid].append(place)
    for pid, place in queries:
        match = np.ones((1, len(places.get(pid, ()))), bool)
        if match.size and not protocol.junk(match, np.array([place]), np.array(places[pid])).all():
            return
    raise UserError(
        protocol.name,
        "no query has a match in the gallery",
        expected="test identities that both the query and the gallery cameras saw, at places that may be compared",
        found=f"{len({p for p, _ in queries})} identities among the queries, {len(places)} in the gallery",
        remedy="check identities, cameras and locations of the test split, or leave this protocol out",
    )


def _pids_and_places(
    features: Features, protocol: Protocol, modality: Modality, rows: np.ndarray
) -> set[tuple[int, int]]:
    images = features.group(modality)
    location = images.optional.get("location")
    places = protocol.places(images.camid[rows], None if location is None else location[rows])
    return set(zip(images.pid[rows].tolist(), places.tolist(), strict=True))
