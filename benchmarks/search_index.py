"""How fast and how right the FAISS index of a big gallery is, against comparing all, measured in one run.

python benchmarks/search_index.py --count 200000 --dimension 256

Vectors scatter around identities (ten pictures each), as those of a trained model do; queries are further pictures
of some of them. Recall is the share of the exact top ten that the index finds.
"""

import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from vireid.search.index import build_index, load_index, nearest, save_index, unit_vectors

PICTURES = 10  # of an identity
QUERIES = 100


def main(
    count: Annotated[int, typer.Option(help="Pictures in the gallery.")] = 200_000,
    dimension: Annotated[int, typer.Option(help="Length of an embedding.")] = 256,
    spread: Annotated[float, typer.Option(help="Distance of pictures from their identity.")] = 0.8,
) -> None:
    """Measure building, loading and searching."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((count // PICTURES, dimension), dtype=np.float32)

    def pictures(pids: np.ndarray) -> np.ndarray:
        return centres[pids] + spread * generator.standard_normal((len(pids), dimension), dtype=np.float32)

    gallery = pictures(np.repeat(np.arange(len(centres)), PICTURES))
    queries = pictures(np.arange(QUERIES))
    start = time.perf_counter()
    index = build_index(unit_vectors(gallery))
    built = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.faiss"
        content = save_index(path, index)
        start = time.perf_counter()
        index = load_index(path, content)
        loaded = time.perf_counter() - start
    found, seconds = {}, {}
    for name, used in (("exact", None), ("index", index)):
        start = time.perf_counter()
        found[name] = nearest(queries, gallery, PICTURES, used)
        seconds[name] = time.perf_counter() - start
    shared = [
        len(np.intersect1d(exact, quick))
        for (exact, _), (quick, _) in zip(found["exact"], found["index"], strict=True)
    ]
    typer.echo(f"{len(gallery):,} x {dimension}: built in {built:.1f} s, loaded in {loaded:.2f} s")
    typer.echo(
        f"{QUERIES} queries: exact {seconds['exact']:.3f} s, index {seconds['index']:.3f} s, "
        f"{seconds['exact'] / seconds['index']:.1f} times faster; recall {np.mean(shared) / PICTURES:.3f}"
    )


if __name__ == "__main__":
    typer.run(main)
