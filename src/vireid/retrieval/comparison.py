"""Queries against everything that a protocol can draw into a gallery."""

import numpy as np
import torch
from torch import Tensor

from vireid.retrieval.distances import DISTANCES, unit_length
from vireid.retrieval.features import Features, FeatureSet
from vireid.retrieval.protocols import Protocol
from vireid.retrieval.ranking import ranking_keys


class Comparison:
    """A protocol's pool of gallery images, ready to be compared with queries.

    Args:
        features: Embeddings of the test images.
        protocol: How to compare them.
        pool: (P,) rows of the gallery modality's group, in the order in which equal distances are ranked.

    Attributes:
        pids: (P,) int32, the identities of the pool.
        gallery_vectors: (P, D) float64, of length 1 where the protocol normalises.
    """

    def __init__(self, features: Features, protocol: Protocol, pool: np.ndarray):
        gallery = features.of(protocol.gallery_modality)
        self.pids, self._places = gallery.pid[pool], _places(protocol, gallery, pool)
        self._features, self._protocol = features, protocol
        self.gallery_vectors = self._vectors(features.vectors(protocol.gallery_modality, pool))

    def distances(self, rows: np.ndarray) -> Tensor:
        """Compute the distances of queries to the pool.

        Args:
            rows: (B,) rows of the query modality's group.

        Returns:
            (B, P) float32, smaller is closer.
        """
        return DISTANCES[self._protocol.distance](self.query_vectors(rows), self.gallery_vectors)

    def query_vectors(self, rows: np.ndarray) -> Tensor:
        """Return the embeddings of queries as they are compared, (B, D) float64."""
        return self._vectors(self._features.vectors(self._protocol.query_modality, rows))

    def keys(self, rows: np.ndarray) -> Tensor:
        """Compute ranking keys of queries against the pool, junk excluded.

        Columns may be selected for a gallery: while they keep the pool's order, equal distances stay in it.

        Args:
            rows: (B,) rows of the query modality's group.

        Returns:
            (B, P) int64, see `ranking.ranking_keys`.
        """
        queries = self._features.of(self._protocol.query_modality)
        match = queries.pid[rows][:, None] == self.pids
        junk = self._protocol.junk(match, _places(self._protocol, queries, rows), self._places)
        return ranking_keys(self.distances(rows), torch.from_numpy(match), torch.from_numpy(junk))

    def _vectors(self, embeddings: np.ndarray) -> Tensor:
        vectors = torch.from_numpy(embeddings).double()
        return unit_length(vectors) if self._protocol.normalise else vectors


def _places(protocol: Protocol, images: FeatureSet, rows: np.ndarray) -> np.ndarray:
    """Say where some images were taken, (len(rows),) int."""
    locations = images.optional.get("location")
    return protocol.places(images.camid[rows], None if locations is None else locations[rows])
