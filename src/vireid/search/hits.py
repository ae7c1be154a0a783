"""What a search found for one query."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class QueryHits:
    """The pictures closest to one query.

    Attributes:
        query: The query's file.
        query_pid: Its identity, -1 where it is unknown.
        name: (K,) names in the gallery, closest first.
        pid: (K,) their identities, -1 where they are unknown.
        distance: (K,) float32, Euclidean between unit vectors, in [0, 2].
    """

    query: Path
    query_pid: int
    name: np.ndarray
    pid: np.ndarray
    distance: np.ndarray

    @property
    def correct(self) -> list[bool | None]:
        """For each picture whether it shows the query's identity; None where nobody knows."""
        return [bool(pid == self.query_pid) if min(pid, self.query_pid) >= 0 else None for pid in self.pid]
