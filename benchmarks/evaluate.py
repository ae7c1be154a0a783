"""Time the evaluation against a plain per-query evaluator, and on galleries of up to a million images.

    python benchmarks/evaluate.py sysu       # SYSU-MM01's complete evaluation, both ways, in the same run
    python benchmarks/evaluate.py reranked   # its forty galleries re-ranked
    python benchmarks/evaluate.py gallery    # 10,000 queries, growing gallery

Embeddings are made up. Each measurement runs in a process of its own and reports its peak of resident memory, as
Linux tells it.
"""

import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rerank import PAPER, row_by_row

from vireid.datasets.protocols import protocol_named
from vireid.datasets.sysu_mm01 import LOCATIONS
from vireid.retrieval.distances import euclidean, unit_length
from vireid.retrieval.evaluation import evaluate_protocols
from vireid.retrieval.features import FeatureSet, FeaturesInfo, read_features, write_features
from vireid.retrieval.galleries import select_images
from vireid.retrieval.reranked import rerank

# SYSU-MM01's test images: camera -> identities that it saw, and images of them.
SYSU_CAMERAS = (
    {1: (56, 1374), 2: (56, 1565), 4: (94, 1918), 5: (95, 1918)},
    {3: (93, 1883), 6: (96, 1920)},
)
SYSU_PROTOCOLS = [
    f"sysu_mm01/{mode}_search/{shots}_shot" for mode in ("all", "indoor") for shots in ("single", "multi")
]
RANKS = (1, 5, 10, 20)
IMAGES_PER_PID = 20  # in the growing gallery
SIGNAL = 0.2  # length of an identity's centre, where the scatter of its images around it is 1 in every direction
AGREEMENT = 1e-4  # between the means of two evaluators, as the plain one ranks by float32 similarities

# Options of what measures SYSU-MM01's sizes.
Dimension = Annotated[int, typer.Option(min=1, help="Length of the embeddings.")]
Trials = Annotated[int, typer.Option(min=1, max=10, help="Galleries of each setting.")]
Repeats = Annotated[int, typer.Option(min=1, help="Runs of each, of which the fastest counts.")]
Quick = Annotated[bool, typer.Option("--quick", help="One in twenty images, one trial, short embeddings.")]

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False)


@dataclass(frozen=True)
class Measured:
    """One measurement: means by protocol, the seconds they took, and the process' peak of resident memory."""

    means: dict[str, dict[str, float]]
    seconds: float
    peak_mib: float


@app.command()
def sysu(dimension: Dimension = 2048, trials: Trials = 10, repeats: Repeats = 3, quick: Quick = False) -> None:
    """Evaluate SYSU-MM01's four settings: 3,803 queries, a pool of 6,775 images, ten galleries of each setting.

    The time goes from embeddings in memory to the means over all trials, distances included, on all cores for
    both. Two plain evaluators take one query after the other in NumPy: `plain` computes precision as the field's
    published evaluators do, by a Python list over the ranking; `plain, vectorised` does that step in NumPy too.
    They rank by a float32 matrix that is computed once, and all means must agree with vireid's.
    """
    trials, repeats = (1, 1) if quick else (trials, repeats)
    with sysu_features(*((20, 16) if quick else (1, dimension))) as path:
        ours = fastest(repeats, time_vireid, path, SYSU_PROTOCOLS, trials, RANKS)
        plain = {
            "plain": alone(time_plain, path, trials, listed_precisions),
            "plain, vectorised": fastest(repeats, time_plain, path, trials, vector_precisions),
        }
    for name, measured in {"vireid": ours, **plain}.items():
        report(name, measured)
    for name, measured in plain.items():
        check_agreement(name, ours.means, measured.means)
        typer.echo(f"{name} / vireid: {measured.seconds / ours.seconds:.1f}")


@app.command()
def reranked(dimension: Dimension = 2048, trials: Trials = 10, repeats: Repeats = 3, quick: Quick = False) -> None:
    """Re-rank SYSU-MM01's four settings, ten galleries of each, after they were evaluated.

    The plain form, row by row as in rerank.py, which compares the results, computes distances and re-ranks one
    gallery of each setting; the others are taken to last as long. vireid's memory holds the evaluation before.
    """
    trials, repeats = (1, 1) if quick else (trials, repeats)
    with sysu_features(*((20, 16) if quick else (1, dimension))) as path:
        ours = fastest(repeats, time_reranking, path, trials)
        plain = alone(time_plain_reranking, path)
    report(f"vireid, {4 * trials} galleries", ours)
    report("row by row, 4 galleries", plain)
    typer.echo(f"row by row / vireid, a gallery: {trials * plain.seconds / ours.seconds:.1f}")


@app.command()
def gallery(
    queries: Annotated[int, typer.Option(min=1, help="Number of queries.")] = 10_000,
    sizes: Annotated[str, typer.Option(help="Gallery sizes, with commas.")] = "125000,250000,500000,1000000",
    dimension: Dimension = 256,
    quick: Annotated[
        bool, typer.Option("--quick", help="200 queries, galleries of 2,000 and 4,000 images.")
    ] = False,
) -> None:
    """Evaluate queries against growing galleries, in which 20 images show each identity.

    10,000 x 1,000,000 distances of length 256 take 5 TFLOP in float64, which is minutes on two cores: for a first
    look, take fewer queries.
    """
    queries, sizes = (200, "2000,4000") if quick else (queries, sizes)
    seconds = {}
    for size in map(int, sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "features.h5"
            alone(write_gallery, path, queries, size, dimension)
            measured = alone(time_vireid, path, ["manifest/infrared_to_visible/all_images"], 1, (1,))
        report(f"{queries:,} x {size:,}", measured)
        seconds[size] = measured.seconds
        pairs = queries * size
        rate = 2e-9 * pairs * dimension / measured.seconds
        typer.echo(f"{'':24}{1e9 * measured.seconds / pairs:7.1f} ns for a distance, {rate:.0f} GFLOP/s overall")
    smallest, largest = min(seconds), max(seconds)
    growth = seconds[largest] / seconds[smallest]
    typer.echo(f"gallery x {largest / smallest:.1f}: time x {growth:.1f}")


@contextmanager
def sysu_features(thinning: int, dimension: int) -> Iterator[Path]:
    """Yield a file of features in the sizes of SYSU-MM01's test set, or of a part of it; it is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "features.h5"
        alone(write_sysu, path, thinning, dimension)
        yield path


def alone(work: Callable, *arguments: object) -> Measured:
    """Do something in a new process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(work, *arguments).result()


def fastest(repeats: int, work: Callable, *arguments: object) -> Measured:
    """Measure several times, each alone, and take the fastest."""
    return min((alone(work, *arguments) for _ in range(repeats)), key=lambda measured: measured.seconds)


def report(name: str, measured: Measured) -> None:
    """Print one measurement."""
    typer.echo(f"{name:24}{measured.seconds:7.2f} s, peak {measured.peak_mib:.0f} MiB")


def peak_mib() -> float:
    """Return this process' peak of resident memory in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) / 1024


def check_agreement(
    name: str, ours: Mapping[str, dict[str, float]], theirs: Mapping[str, dict[str, float]]
) -> None:
    """Stop if two evaluators do not agree: the time of a wrong result means nothing."""
    worst = max(abs(ours[key][metric] - value) for key in theirs for metric, value in theirs[key].items())
    if worst > AGREEMENT:
        typer.echo(f"error: means of `{name}` differ from vireid's by {worst:.2g}", err=True)
        raise typer.Exit(1)


def time_vireid(path: Path, names: list[str], trials: int, ranks: tuple[int, ...]) -> Measured:
    """Evaluate protocols as the stage `evaluate` does."""
    features, protocols = read_features(path), [replace(protocol_named(name), trials=trials) for name in names]
    start = time.perf_counter()
    evaluations = evaluate_protocols(features, protocols, ranks)
    means = {evaluation.protocol.name: evaluation.means for evaluation in evaluations}
    return Measured(means, time.perf_counter() - start, peak_mib())


def time_reranking(path: Path, trials: int) -> Measured:
    """Re-rank as the stage `evaluate` does with `evaluate.rerank`."""
    features, protocols = read_features(path), [replace(protocol_named(n), trials=trials) for n in SYSU_PROTOCOLS]
    evaluations = evaluate_protocols(features, protocols, RANKS)
    start = time.perf_counter()
    results = rerank(features, evaluations, PAPER)
    means = {result.protocol.name: result.reranked.means for result in results if result.reranked}
    return Measured(means, time.perf_counter() - start, peak_mib())


def time_plain_reranking(path: Path) -> Measured:
    """Re-rank the first gallery of each setting by arrays of all pairs and loops over rows."""
    features, start = read_features(path), time.perf_counter()
    units = [
        unit_length(torch.from_numpy(part.embeddings[features.embedding]).double())
        for part in (features.infrared, features.visible)
    ]
    for name in SYSU_PROTOCOLS:
        selection = select_images(features, protocol_named(name))
        rows = selection.query_rows[0], selection.gallery_rows[0]
        vectors = torch.cat([part[chosen] for part, chosen in zip(units, rows, strict=True)])
        row_by_row(euclidean(vectors, vectors).square().numpy(), len(rows[0]), PAPER)
    return Measured({}, time.perf_counter() - start, peak_mib())


def time_plain(path: Path, trials: int, precisions: Callable[[np.ndarray], np.ndarray]) -> Measured:
    """Evaluate SYSU-MM01's settings as the field does: one matrix, sliced for each trial, query by query."""
    features, start = read_features(path), time.perf_counter()
    queries, images = features.infrared, features.visible
    vectors = [part.embeddings[features.embedding] for part in (queries, images)]
    units = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in vectors]
    distmat = 1 - units[0] @ units[1].T
    places = dict(LOCATIONS)
    query_places, image_places = (np.array([places[camid] for camid in part.camid]) for part in (queries, images))
    means = {}
    for name in SYSU_PROTOCOLS:
        chosen = replace(protocol_named(name), trials=trials)
        selection, values = select_images(features, chosen), []
        for rows in selection.gallery_rows:
            scores = [
                plain_scores(distances, pid, images.pid[rows], image_places[rows] != place, precisions)
                for distances, pid, place in zip(distmat[:, rows], queries.pid, query_places, strict=True)
            ]
            values.append(np.mean([score for score in scores if score is not None], axis=0))
        metrics = [*(f"rank{rank}" for rank in RANKS), "mAP", "mINP"]
        means[name] = dict(zip(metrics, np.mean(values, axis=0).tolist(), strict=True))
    return Measured(means, time.perf_counter() - start, peak_mib())


def plain_scores(
    distances: np.ndarray,
    pid: int,
    gallery_pids: np.ndarray,
    other_place: np.ndarray,
    precisions: Callable[[np.ndarray], np.ndarray],
) -> list[float] | None:
    """Score one query: sort, drop its own place, de-duplicate for the CMC, average the matches' precisions."""
    order = np.argsort(distances, kind="stable")
    ranked = gallery_pids[order][other_place[order]]
    match = ranked == pid
    if not match.any():
        return None
    distinct = ranked[np.sort(np.unique(ranked, return_index=True)[1])]
    found = np.cumsum(distinct == pid)
    last = np.flatnonzero(match)[-1]
    average_precision = (precisions(match.cumsum()) * match).sum() / match.sum()
    return [*(float(found[rank - 1]) for rank in RANKS), average_precision, match.sum() / (last + 1)]


def listed_precisions(found: np.ndarray) -> np.ndarray:
    """Compute precision at each rank from the matches so far, as the published evaluators do."""
    return np.array([matches / (place + 1.0) for place, matches in enumerate(found)])


def vector_precisions(found: np.ndarray) -> np.ndarray:
    """Compute precision at each rank from the matches so far, in NumPy."""
    return found / np.arange(1, len(found) + 1)


def write_sysu(path: Path, thinning: int, dimension: int) -> None:
    """Write features in the sizes of SYSU-MM01's test set, or of a part of it."""
    generator = np.random.default_rng(0)
    centres = SIGNAL * generator.standard_normal((96, dimension), dtype=np.float32)
    parts = []
    for cameras in SYSU_CAMERAS:
        pids, camids = [], []
        for camid, (identities, images) in cameras.items():
            pids.append(np.arange(images // thinning) * identities // (images // thinning))
            camids.append(np.full(images // thinning, camid))
        parts.append(feature_set(centres, np.concatenate(pids), np.concatenate(camids), generator))
    write_features(path, info("sysu_mm01"), *parts)


def write_gallery(path: Path, queries: int, size: int, dimension: int) -> None:
    """Write features of `size` visible images and of `queries` infrared ones of the same identities."""
    generator = np.random.default_rng(0)
    identities = max(1, size // IMAGES_PER_PID)
    centres = SIGNAL * generator.standard_normal((identities, dimension), dtype=np.float32)
    visible = feature_set(centres, np.arange(size) % identities, np.full(size, 1), generator)
    infrared = feature_set(centres, np.arange(queries) % identities, np.full(queries, 2), generator)
    write_features(path, info("manifest"), visible, infrared)


def feature_set(
    centres: np.ndarray, pids: np.ndarray, camids: np.ndarray, generator: np.random.Generator
) -> FeatureSet:
    """Scatter images around their identities' centres."""
    vectors = generator.standard_normal((len(pids), centres.shape[1]), dtype=np.float32)
    vectors += centres[pids]
    names = np.array([f"{number:07d}.jpg" for number in range(len(pids))], object)
    return FeatureSet(pids.astype(np.int32), camids.astype(np.int16), names, {"made": vectors})


def info(dataset: str) -> FeaturesInfo:
    """Describe features that nobody trained."""
    untrained = np.empty(0, np.int32)
    return FeaturesInfo(dataset, 0, "none", "made up", "made", "none", "none", False, untrained)


if __name__ == "__main__":
    app()
