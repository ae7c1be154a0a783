"""Queries against everything that a protocol can draw into a gallery."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from vireid.data.records import Modality
from vireid.datasets.protocol import Protocol
from vireid.retrieval.distances import DISTANCES
from vireid.retrieval.features import Features, FeatureSet
from vireid.retrieval.ranking import ranking_keys

WHOLE = slice(None)


@dataclass(frozen=True)
class Compared:
    """Images that are ready to be compared.

    Attributes:
        rows: (N,) rows of their modality's group.
        vectors: (N, D) float64, of length 1 where the protocol normalises.
        pids: (N,) int32.
        places: (N,) int, where they were taken.
    """

    rows: np.ndarray
    vectors: Tensor
    pids: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.pids)

    def __getitem__(self, rows: slice | np.ndarray) -> "Compared":
        return Compared(self.rows[rows], self.vectors[rows], self.pids[rows], self.places[rows])


class GalleryPool:
    """A protocol's pool of gallery images, to be compared with queries, whole or in parts.

    Args:
        features: Embeddings of the test images.
        protocol: How to compare them.
        pool: (P,) rows of the gallery modality's group, in the order in which equal distances are ranked.

    Attributes:
        pids: (P,) int32, the identities of the pool.
        dimension: D, the length of the embeddings.
    """

    def __init__(self, features: Features, protocol: Protocol, pool: np.ndarray):
        self.pids = features.group(protocol.gallery_modality).pid[pool]
        self.dimension = features.vectors(protocol.gallery_modality, pool[:0]).shape[1]
        self._features, self._protocol, self._pool = features, protocol, pool

    def by_identity(self, rows: np.ndarray) -> np.ndarray:
        """Return positions that sort rows of the query modality's group by identity."""
        return np.argsort(self._features.group(self._protocol.query_modality).pid[rows], kind="stable")

    def queries(self, rows: np.ndarray) -> Compared:
        """Prepare some rows of the query modality's group."""
        return self._compared(self._protocol.query_modality, rows)

    def gallery(self, columns: slice) -> Compared:
        """Prepare a part of the pool."""
        return self._compared(self._protocol.gallery_modality, self._pool[columns])

    def distances(self, rows: np.ndarray) -> Tensor:
        """Compute the distances of queries to the pool.

        Args:
            rows: (B,) rows of the query modality's group.

        Returns:
            (B, P) float32, smaller is closer.
        """
        return self.distances_between(self.queries(rows), self.gallery(WHOLE))

    def keys(self, rows: np.ndarray) -> Tensor:
        """Compute ranking keys of queries against the pool, junk excluded.

        Columns may be selected for a gallery: while they keep the pool's order, equal distances stay in it.

        Args:
            rows: (B,) rows of the query modality's group.

        Returns:
            (B, P) int64, see `ranking.ranking_keys`.
        """
        return self.keys_between(self.queries(rows), self.gallery(WHOLE), 0)

    def keys_between(self, queries: Compared, part: Compared, first: int) -> Tensor:
        """Compute ranking keys of prepared queries against a prepared part of the pool.

        Args:
            queries: B images.
            part: C neighbouring images of the pool.
            first: Position in the pool of the first of them.

        Returns:
            (B, C) int64, see `ranking.ranking_keys`.
        """
        match = queries.pids[:, None] == part.pids
        junk = self._protocol.junk(match, queries.places, part.places)
        return ranking_keys(
            self.distances_between(queries, part), torch.from_numpy(match), torch.from_numpy(junk), first
        )

    def distances_between(self, queries: Compared, part: Compared) -> Tensor:
        """Compute the distances of prepared queries to a prepared part of the pool, (B, C) float32."""
        return DISTANCES[self._protocol.distance](queries.vectors, part.vectors)

    def _compared(self, modality: Modality, rows: np.ndarray) -> Compared:
        images = self._features.group(modality)
        vectors = self._vectors(modality, rows)
        return Compared(rows, vectors, images.pid[rows], _places(self._protocol, images, rows))

    def _vectors(self, modality: Modality, rows: np.ndarray) -> Tensor:
        """Prepare embeddings, (len(rows), D) float64."""
        vectors = torch.from_numpy(self._features.vectors(modality, rows)).double()
        if self._protocol.normalise:
            normalize(vectors, dim=1, out=vectors)  # in place: galleries are large
        return vectors


def _places(protocol: Protocol, images: FeatureSet, rows: np.ndarray) -> np.ndarray:
    """Say where some images were taken, (len(rows),) int."""
    locations = images.optional.get("location")
    return protocol.places(images.camid[rows], None if locations is None else locations[rows])
