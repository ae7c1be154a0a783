"""Time a method's training step in bf16 with channels last against plain fp32, and the data path against both.

    python benchmarks/train_step.py --method fprnet --schedule paper

Model, losses, batch, optimiser and augmentation are those of conf/method, image sizes those of conf/schedule; the
weights are random. Prints images per second, measured in one process, and their ratios.
"""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from ruamel.yaml import YAML

from vireid.compute import Device
from vireid.data.augmentation import augmented
from vireid.methods import build_method
from vireid.params import Train, check_section
from vireid.training.data import Batch

CONF = Path(__file__).resolve().parents[1] / "conf"
NUM_PIDS = 395  # of SYSU-MM01
MEMORY_FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def main(
    method: Annotated[str, typer.Option(help="A preset of conf/method.")] = "fprnet",
    schedule: Annotated[str, typer.Option(help="One of its schedules.")] = "paper",
    pids: Annotated[int, typer.Option(help="Identities in a batch; 0 for the preset's.")] = 0,
    steps: Annotated[int, typer.Option(help="Timed steps, after one that is not.")] = 3,
    threads: Annotated[int, typer.Option(help="Threads inside one operation.")] = torch.get_num_threads(),
) -> None:
    """Time the training step of a preset and the augmentation that feeds it."""
    preset = _read(CONF / "method" / f"{method}.yaml")
    recipe = preset["schedules"][schedule]
    settings = check_section(Train, recipe["train"] | ({"num_pids": pids} if pids else {}), "train", "")
    batches = random_batches(settings, **_read(CONF / "schedule" / f"{schedule}.yaml")["ingest"])
    images = len(next(batches).labels)
    model = recipe["model"] | {"pretrained": False}

    rates = {"data path": images / seconds(lambda: next(batches), steps)}
    for name, device in (
        ("step, fp32 contiguous", Device("cpu", "fp32", threads, "contiguous")),
        ("step, bf16 channels last", Device("cpu", "bf16", threads)),
    ):
        built = build_method(preset["method"], NUM_PIDS, model, recipe["loss"])
        rates[name] = images / seconds(training_step(built, settings, device, next(batches)), steps)
        del built
    fast, plain = rates["step, bf16 channels last"], rates["step, fp32 contiguous"]
    typer.echo(f"{method}, schedule {schedule}, {images} images in a step, {threads} threads")
    for name, rate in rates.items():
        typer.echo(f"{name:26} {rate:8.2f} images/s")
    typer.echo(f"bf16 channels last / fp32 contiguous: {fast / plain:.2f}")
    typer.echo(f"data path / bf16 step:                {rates['data path'] / fast:.1f}")


def random_batches(settings: Train, height: int, width: int) -> Iterator[Batch]:
    """Yield batches of noise, cut, mirrored and erased as the preset says."""
    half = settings.num_pids * settings.num_instances
    pixels = np.random.default_rng(0).integers(0, 256, (2 * half, height, width, 3), np.uint8)
    modality = torch.arange(2).repeat_interleave(half)
    labels = torch.arange(settings.num_pids).repeat_interleave(settings.num_instances).repeat(2)
    for number in count():
        rng = np.random.default_rng(number)
        yield Batch(augmented(pixels, modality, settings.augmentation, rng, torch.device("cpu")), labels, modality)


def training_step(method: Any, settings: Train, device: Device, batch: Batch) -> Callable[[], None]:
    """Return a function that does one step of a method by Fabric, as the training loop does."""
    fabric = device.fabric()
    memory_format = MEMORY_FORMATS[device.memory_format]
    images = batch.images.contiguous(memory_format=memory_format)
    method = method.to(memory_format=memory_format)
    optimizer = torch.optim.SGD(
        method.param_groups(settings.lr), settings.lr, settings.momentum, nesterov=settings.nesterov
    )
    wrapped, optimizer = fabric.setup(method, optimizer)

    def step() -> None:
        outputs = wrapped(images, batch.modality)
        losses = method.losses(outputs, batch.labels, batch.modality)
        optimizer.zero_grad()
        fabric.backward(sum(method.loss_weights[name] * loss for name, loss in losses.items()))
        optimizer.step()

    return step


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Mean seconds of a call, after one that is not timed."""
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def _read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(path)


if __name__ == "__main__":
    typer.run(main)
