"""The nearest vectors of a gallery: all are compared in a small one, the likely ones in a big one (FAISS).

J. Johnson et al., "Billion-scale similarity search with GPUs", IEEE Transactions on Big Data, 2019.
"""

from pathlib import Path

import faiss
import numpy as np
import torch

from vireid.retrieval.distances import euclidean, unit_length
from vireid.support.errors import UserError
from vireid.support.files import replacing, sha256

EXACT_UP_TO = 50_000  # vectors, which two cores compare with a query in some hundredths of a second
_LISTS = 4  # inverted lists: this many times the root of the number of vectors, as FAISS recommends
_PROBED = 16  # one in so many lists is looked through


def unit_vectors(vectors: np.ndarray) -> np.ndarray:
    """Scale each row to length 1: (N, D) float32, contiguous."""
    return unit_length(torch.from_numpy(vectors)).numpy()


def build_index(units: np.ndarray) -> faiss.IndexIVFFlat:
    """Sort unit vectors into inverted lists around centres found by k-means (with a fixed seed)."""
    count, dimension = units.shape
    lists = int(_LISTS * count**0.5)
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(dimension), dimension, lists)
    index.train(units)
    index.add(units)
    index.nprobe = max(1, lists // _PROBED)
    return index


def save_index(path: Path, index: faiss.IndexIVFFlat) -> str:
    """Write an index whole or not at all; return the SHA-256 of its file."""
    with replacing(path) as partial:
        with partial.open("wb") as file:  # given a path, FAISS reports a full disk by an error that is no OSError
            writer = faiss.PyCallbackIOWriter(file.write)  # type: ignore[attr-defined] # not in its stubs
            faiss.write_index(index, writer)
        return sha256(partial)


def load_index(path: Path, expected_hash: str) -> faiss.IndexIVFFlat:
    """Read an index.

    Raises:
        UserError: If it is missing, or not the one that was written with the gallery.
    """
    found = sha256(path) if path.is_file() else "nothing"
    if found != expected_hash:
        raise UserError(
            path,
            "not the index of this gallery",
            expected=expected_hash,
            found=found,
            remedy="search the folder again with --save, which writes both, or compare all pictures with --exact",
        )
    index = faiss.read_index(str(path))
    assert isinstance(index, faiss.IndexIVFFlat)  # whose hash is the expected one
    return index


def nearest(
    queries: np.ndarray, vectors: np.ndarray, top: int, index: faiss.IndexIVFFlat | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Find the gallery vectors closest to each query.

    Args:
        queries: (Q, D) float32, of any length.
        vectors: (G, D) float32, the gallery, of any length.
        top: Number of vectors; fewer where the gallery or the lists that are looked through hold fewer.
        index: Of the gallery's unit vectors; None to compare all.

    Returns:
        For each query (K,) rows of the gallery, closest first, and their Euclidean distances between unit
        vectors, (K,) float32. The distances are exact either way.
    """
    top, units = min(top, len(vectors)), unit_vectors(queries)
    if index is None:
        _, rows = faiss.knn(units, unit_vectors(vectors), top)
    else:
        _, rows = index.search(units, top)
    results = []
    for query, candidates in zip(queries, rows, strict=True):
        kept = np.sort(candidates[candidates >= 0])  # -1 where the lists hold too few
        pair = (unit_length(torch.from_numpy(part).double()) for part in (query[None], vectors[kept]))
        distance = euclidean(*pair).numpy()[0]
        order = np.argsort(distance, kind="stable")
        results.append((kept[order], distance[order]))
    return results
