"""Time k-reciprocal re-ranking against the field's usual form, given the same distances.

    python benchmarks/rerank.py

The usual form keeps N x N arrays and loops over the rows in Python; it is written here from the definition (see
src/vireid/retrieval/reranking.py). Prints seconds and peak memory of both, their ratios, measured in one process,
and the largest difference of the results. The sizes are those of SYSU-MM01's all-search, single-shot test.
"""

import time
import tracemalloc
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer

from vireid.params import Reranking
from vireid.retrieval.distances import euclidean, unit_length
from vireid.retrieval.reranking import rerank_matrix

PAPER = Reranking(k1=20, k2=6, lambda_value=0.3)
TOLERANCE = 1e-5  # the usual form computes in float32


def main(
    queries: Annotated[int, typer.Option(help="Number of queries.")] = 3803,
    gallery: Annotated[int, typer.Option(help="Number of gallery images.")] = 301,
    dimensions: Annotated[int, typer.Option(help="Length of an embedding.")] = 2048,
    identities: Annotated[int, typer.Option(help="Clusters that the random embeddings form.")] = 96,
    repeats: Annotated[int, typer.Option(help="Timed runs of ours, after one that is not; the mean counts.")] = 5,
    quick: Annotated[bool, typer.Option("--quick", help="A tenth of the images, for trying this out.")] = False,
) -> None:
    """Re-rank random clustered embeddings (k1 = 20, k2 = 6, lambda = 0.3) row by row and by sparse matrices.

    Both get the same matrix of squared distances; computing it is not timed. Memory is what each allocates beyond
    that matrix, measured in runs of their own. Ends with exit code 1 if the results differ.
    """
    if quick:
        queries, gallery = queries // 10, gallery // 10
    distmat = squared_distances(queries + gallery, dimensions, identities)

    def usual() -> np.ndarray:
        return row_by_row(distmat, queries, PAPER)

    def ours() -> np.ndarray:
        return rerank_matrix(distmat, queries, 1, PAPER)

    ours()  # not timed: the first call loads code
    slow, fast = seconds(usual, 1), seconds(ours, repeats)
    expected, slow_peak = with_peak(usual)
    result, fast_peak = with_peak(ours)
    difference = float(np.abs(expected - result).max())
    typer.echo(f"{queries} queries, {gallery} gallery images, {torch.get_num_threads()} threads")
    typer.echo(f"row by row  {slow:8.3f} s  {slow_peak / 2**20:8.1f} MiB")
    typer.echo(f"ours        {fast:8.3f} s  {fast_peak / 2**20:8.1f} MiB")
    typer.echo(f"row by row / ours: {slow / fast:.1f} in time, {slow_peak / fast_peak:.1f} in memory")
    typer.echo(f"largest difference of a distance: {difference:.1e}")
    if difference > TOLERANCE:
        typer.echo(f"error: the results differ by more than {TOLERANCE:.0e}", err=True)
        raise typer.Exit(code=1)


def squared_distances(count: int, dimensions: int, identities: int) -> np.ndarray:
    """Draw embeddings that scatter around identities, and compare all: (count, count) float32."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((identities, dimensions))
    vectors = centres[generator.integers(identities, size=count)]
    vectors += 2 * generator.standard_normal(vectors.shape)
    unit = unit_length(torch.from_numpy(vectors))
    return euclidean(unit, unit).square().numpy()


def row_by_row(distmat: np.ndarray, num_queries: int, settings: Reranking) -> np.ndarray:
    """Re-rank with N x N arrays, one row after the other: (N, N) float32 to (Q, N - Q) float32."""
    count = len(distmat)
    scaled = (distmat / distmat.max(axis=0)).T
    ranking = np.argsort(scaled, axis=1)
    encodings = np.zeros_like(scaled)
    for i in range(count):
        own = reciprocal(ranking, i, settings.k1)
        members = own
        for j in own:
            theirs = reciprocal(ranking, j, round(settings.k1 / 2))
            if len(np.intersect1d(theirs, own)) > 2 / 3 * len(theirs):
                members = np.append(members, theirs)
        members = np.unique(members)
        weights = np.exp(-scaled[i, members])
        encodings[i, members] = weights / weights.sum()
    if settings.k2 != 1:
        encodings = np.stack([encodings[ranking[i, : settings.k2]].mean(axis=0) for i in range(count)])
    holders = [np.flatnonzero(encodings[:, j]) for j in range(count)]
    final = np.empty((num_queries, count - num_queries), np.float32)
    for q in range(num_queries):
        overlap = np.zeros(count, np.float32)
        for j in np.flatnonzero(encodings[q]):
            overlap[holders[j]] += np.minimum(encodings[q, j], encodings[holders[j], j])
        jaccard = 1 - overlap / (2 - overlap)
        final[q] = ((1 - settings.lambda_value) * jaccard + settings.lambda_value * scaled[q])[num_queries:]
    return final


def reciprocal(ranking: np.ndarray, i: int, k: int) -> np.ndarray:
    """Find the images that are among image i's k nearest and have it among theirs."""
    forward = ranking[i, : k + 1]
    return forward[(ranking[forward, : k + 1] == i).any(axis=1)]


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Mean seconds of a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def with_peak(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, int]:
    """Return what a call returns, and the most bytes that it held at a time."""
    tracemalloc.start()
    result = work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak


if __name__ == "__main__":
    typer.run(main)
