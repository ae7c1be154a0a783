"""Time the loader alone against the training step that it feeds.

    python benchmarks/loader.py --method baseline --schedule paper

Prints images per second of the loader, with images in memory and in the file and for several numbers of workers,
and their ratios to the preset's step (bf16, channels last), all measured in one process. Weights and images are
random.
"""

import itertools
import tempfile
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from step import built, recipe_of, seconds, training_step

from vireid.compute import Device
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images
from vireid.params import Train
from vireid.support.progress import track
from vireid.training.data import TrainingImages, load_training_images
from vireid.training.loader import Loader

IMAGES_PER_PID = 20  # of each modality


def main(
    method: Annotated[str, typer.Option(help="A preset of conf/method.")] = "baseline",
    schedule: Annotated[str, typer.Option(help="One of its schedules.")] = "paper",
    images: Annotated[int, typer.Option(help="Images in the file.")] = 4000,
    batches: Annotated[int, typer.Option(help="Batches of an epoch of the loader.")] = 60,
    steps: Annotated[int, typer.Option(help="Timed training steps, after one that is not.")] = 3,
    threads: Annotated[int, typer.Option(help="Threads inside one operation.")] = torch.get_num_threads(),
) -> None:
    """Time the loader alone against the training step that it feeds."""
    recipe = recipe_of(method, schedule, pids=0)
    settings = recipe.train.model_copy(update={"steps_per_epoch": batches, "holdout_pids": 0})
    device = Device("cpu", "bf16", threads)
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), images // (2 * IMAGES_PER_PID), recipe.ingest.height, recipe.ingest.width)
        rates = {
            f"loader, {place}, {workers} workers": loader_rate(
                load(Path(folder), settings, memory), settings, workers
            )
            for (place, memory), workers in itertools.product({"memory": 64.0, "file": 0.0}.items(), (0, 1, 2))
        }
        example = next(loader_of(load(Path(folder), settings, 0.0), settings, 0).epoch(0)).images
    step_rate = len(example) / seconds(training_step(built(recipe), settings, device, example), steps)
    typer.echo(f"{'training step':28} {step_rate:8.1f} images/s")
    for name, rate in rates.items():
        typer.echo(f"{name:28} {rate:8.1f} images/s  {rate / step_rate:6.1f} x the step")


def write_images(folder: Path, pids: int, height: int, width: int) -> None:
    """Write an images file of noise, and an empty overlay."""
    info, rng = ImagesInfo("synthetic", 0, height, width, "none"), np.random.default_rng(0)
    with create_images(folder / "overlay.h5", info):
        pass
    with create_images(folder / "images.h5", info) as writer:
        for modality, pid in track(
            list(itertools.product(Modality, range(pids))), "write images", 2 * pids, "pids"
        ):
            names = [f"{modality.group}/{pid}/{number}" for number in range(IMAGES_PER_PID)]
            pixels = rng.integers(0, 256, (IMAGES_PER_PID, height, width, 3), np.uint8)
            writer.append([ImageRecord(name, pid, 1 + modality, modality, "train") for name in names], pixels)


def load(folder: Path, settings: Train, memory: float) -> TrainingImages:
    """Load the written images, in memory if they fit `memory` GiB."""
    return load_training_images(folder / "images.h5", folder / "overlay.h5", settings, 0, memory)


def loader_of(images: TrainingImages, settings: Train, workers: int) -> Loader:
    """Make a loader for the CPU."""
    return Loader(images, settings, 0, torch.device("cpu"), workers)


def loader_rate(images: TrainingImages, settings: Train, workers: int) -> float:
    """Return images per second over an epoch, after one that is not timed."""
    loader = loader_of(images, settings, workers)
    sum(1 for _ in loader.epoch(0))
    start = time.perf_counter()
    count = sum(len(batch.labels) for batch in loader.epoch(1))
    return count / (time.perf_counter() - start)


if __name__ == "__main__":
    typer.run(main)
