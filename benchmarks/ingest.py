"""Time ingest against a plain loop over Pillow that stacks every image into one array.

    python benchmarks/ingest.py --images 4000

Draws JPEG files of a surveillance camera's sizes into a temporary folder, then packs them in turn by the plain
loop and by ingest with one worker, two, four, and so on up to the number of cores, each in a process of its own.
Prints the best rate of each, its ratio to the plain loop's and its peak memory.
"""

import os
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image

from vireid.data.ingest import pack_images
from vireid.data.records import ImageRecord, Modality
from vireid.params import Dataset, Ingest, SixteenBit
from vireid.support.progress import track

IMAGES = "images.h5"
JPEG_QUALITY = 90
NARROWEST, WIDEST, ASPECT = 80, 220, 2.5  # pixels; height over width


def main(
    images: Annotated[int, typer.Option(help="Number of files to draw.")] = 4000,
    height: Annotated[int, typer.Option(help="Pixels of a packed image.")] = 288,
    width: Annotated[int, typer.Option(help="Pixels of a packed image.")] = 144,
    repeats: Annotated[int, typer.Option(help="Rounds; the best counts.")] = 3,
) -> None:
    """Time ingest against a plain loop over Pillow that stacks every image into one array."""
    with tempfile.TemporaryDirectory() as folder:
        names = draw_files(Path(folder), images)
        contenders = {"plain loop": (plain, 1)}
        contenders |= {f"ingest, {n} worker{'s' * (n > 1)}": (ours, n) for n in worker_counts()}
        runs = {name: [] for name in contenders}
        for _ in track(range(repeats), "rounds", repeats, "rounds"):
            for name, (pack, workers) in contenders.items():
                runs[name].append(in_a_process(pack, Path(folder), names, height, width, workers))
    plain_rate = max(rate for rate, _ in runs["plain loop"])
    for name, measured in runs.items():
        rate, peak = max(rate for rate, _ in measured), max(peak for _, peak in measured)
        typer.echo(f"{name:20} {rate:8.0f} images/s  {rate / plain_rate:5.2f} x  {peak:6.0f} MiB at most")


def draw_files(folder: Path, count: int) -> list[str]:
    """Write JPEG files of coarse colours with noise; return their names."""
    rng, names = np.random.default_rng(0), []
    for number in track(range(count), "draw", count, "files"):
        width = int(rng.integers(NARROWEST, WIDEST))
        height = int(width * ASPECT)
        coarse = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8, 3), np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float32)
        noisy = smooth + 6 * rng.standard_normal((height, width, 1), np.float32)
        names.append(f"{number:06}.jpg")
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(folder / names[-1], quality=JPEG_QUALITY)
    return names


def worker_counts() -> list[int]:
    """Return 1, 2, 4, ... and the number of cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return [*(2**power for power in range(cores.bit_length()) if 2**power < cores), cores]


def in_a_process(pack: Callable[..., None], *arguments: object) -> tuple[float, float]:
    """Run in a fresh process; return images per second and peak memory in MiB."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, pack, *arguments).result()


def measured(pack: Callable[..., None], folder: Path, names: list[str], *settings: int) -> tuple[float, float]:
    """Pack once and measure it, with no earlier file in the way (DVC deletes a stage's outputs before it runs)."""
    (folder / IMAGES).unlink(missing_ok=True)
    start = time.perf_counter()
    pack(folder, names, *settings)
    rate = len(names) / (time.perf_counter() - start)
    return rate, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def plain(folder: Path, names: list[str], height: int, width: int, workers: int) -> None:
    """Read and resize one image after the other, and stack them."""
    images = []
    for name in names:
        image = Image.open(folder / name).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
        images.append(np.asarray(image))
    np.stack(images)


def ours(folder: Path, names: list[str], height: int, width: int, workers: int) -> None:
    """Pack as the stage does."""
    records = [ImageRecord(name, 1, 1, Modality.VISIBLE, "train") for name in names]
    dataset = Dataset(
        name="synthetic",
        layout="sysu_mm01",
        root=str(folder),
        train_on_val=True,
        gallery_draw="seeded",
        trial=0,
        sixteen_bit=SixteenBit(scaling="full", window=[0, 65535], percentiles=[0.5, 99.5]),
    )
    settings = Ingest(height=height, width=width, on_bad_image="error")
    pack_images(records, dataset, settings, workers, folder / IMAGES)


if __name__ == "__main__":
    typer.run(main)
