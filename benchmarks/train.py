"""Time the real training loop of a preset against its bare step, and against plain fp32.

    python benchmarks/train.py --method fprnet --schedule demo

The loop has the loader with its augmentation, the step, and the curves; the bare step has one batch each time.
Prints images per second, measured in one process, and ratios. Weights and images are random.
"""

import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import torch
import typer
from loader import IMAGES_PER_PID, load, loader_of, write_images
from step import built, recipe_of, seconds, training_step

from vireid.compute import Device, choose_device
from vireid.params import Params
from vireid.training.data import TrainingImages
from vireid.training.loop import Trainer

EPOCHS = 2  # of which the second is timed


def main(
    method: Annotated[str, typer.Option(help="A preset of conf/method.")] = "fprnet",
    schedule: Annotated[str, typer.Option(help="One of its schedules.")] = "demo",
    precision: Annotated[str, typer.Option(help="fp32 or bf16; what training would take without it.")] = "",
    images: Annotated[int, typer.Option(help="Images in the file.")] = 4000,
    steps: Annotated[int, typer.Option(help="Timed steps, after as many that are not.")] = 20,
    threads: Annotated[int, typer.Option(help="Threads inside one operation.")] = torch.get_num_threads(),
    workers: Annotated[int, typer.Option(help="Threads that prepare batches.")] = 2,
) -> None:
    """Time the real training loop of a preset against its bare step."""
    recipe = recipe_of(method, schedule, pids=0)
    chosen = precision or choose_device(recipe.compute.model_copy(update={"device": "cpu"})).precision
    device = Device("cpu", chosen, threads)
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), images // (2 * IMAGES_PER_PID), recipe.ingest.height, recipe.ingest.width)
        settings = recipe.train.model_copy(update={"steps_per_epoch": steps, "holdout_pids": 0, "epochs": EPOCHS})
        data = load(Path(folder), settings, memory=64.0)
        example = next(loader_of(data, settings, 0).epoch(0)).images
        loop = loop_rate(recipe.model_copy(update={"train": settings}), data, device, workers)
    bare = len(example) / seconds(training_step(built(recipe), settings, device, example), steps)
    plain_device = Device("cpu", "fp32", threads, "contiguous")
    plain = len(example) / seconds(training_step(built(recipe), settings, plain_device, example), steps)
    typer.echo(f"{method}, schedule {schedule}, {len(example)} images in a step, {threads} threads")
    typer.echo(f"{'real loop, ' + chosen:24} {loop:8.1f} images/s  {loop / bare:5.2f} x the bare step")
    typer.echo(f"{'bare step, ' + chosen:24} {bare:8.1f} images/s  {bare / plain:5.2f} x plain fp32")
    typer.echo(f"{'plain fp32, contiguous':24} {plain:8.1f} images/s")


def loop_rate(recipe: Params, data: TrainingImages, device: Device, workers: int) -> float:
    """Return images per second of the training loop over its last epoch."""
    ends: list[float] = []
    nothing_saved = SimpleNamespace(load=lambda: None, save=lambda state: None)
    loader = loader_of(data, recipe.train, workers)
    trainer = Trainer(built(recipe), data, recipe.train, loader, device.fabric(), nothing_saved)
    trainer.run(lambda epoch, curves: ends.append(time.perf_counter()))
    size = 2 * recipe.train.num_pids * recipe.train.num_instances
    return len(loader) * size / (ends[-1] - ends[-2])


if __name__ == "__main__":
    typer.run(main)
