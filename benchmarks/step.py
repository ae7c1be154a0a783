"""Time the training step of any preset in bf16 with channels last against plain fp32.

    python benchmarks/step.py --method fprnet --schedule paper

Model, losses, batch, optimiser and image sizes are those of the preset under the schedule; weights and images are
random. Prints images per second, measured in one process, and their ratio.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer

from vireid.compute import Device
from vireid.layers import compose
from vireid.losses.gather import alone
from vireid.methods import build_method
from vireid.methods.base import Batch, Method
from vireid.params import Params, Train, check_section
from vireid.training.optimizer import build_optimizer

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
    """Time the training step of a preset, as the training loop does it."""
    recipe = recipe_of(method, schedule, pids)
    settings = recipe.train
    half = settings.num_pids * settings.num_instances
    images = torch.randn(2 * half, 3, recipe.ingest.height, recipe.ingest.width)
    rates = {}
    for name, device in (
        ("fp32, contiguous", Device("cpu", "fp32", threads, "contiguous")),
        ("bf16, channels last", Device("cpu", "bf16", threads)),
    ):
        step = training_step(built(recipe), settings, device, images)
        rates[name] = 2 * half / seconds(step, steps)
    typer.echo(f"{method}, schedule {schedule}, {2 * half} images in a step, {threads} threads")
    for name, rate in rates.items():
        typer.echo(f"{name:20} {rate:8.2f} images/s")
    typer.echo(
        f"bf16, channels last / fp32, contiguous: {rates['bf16, channels last'] / rates['fp32, contiguous']:.2f}"
    )


def recipe_of(method: str, schedule: str, pids: int) -> Params:
    """Compose a preset's parameters, with other identities in a batch unless `pids` is 0."""
    values = compose(CONF, {"method": method, "schedule": schedule, "dataset": "synthetic"}).values
    if pids:
        values["train"]["num_pids"] = pids
    return check_section(Params, values, f"method={method} schedule={schedule}", "correct the preset")


def built(recipe: Params) -> Method:
    """Build a recipe's method with random weights."""
    return build_method(recipe.method, NUM_PIDS, recipe.model, recipe.loss, from_scratch=True)


def training_step(method: Method, settings: Train, device: Device, images: torch.Tensor) -> Callable[[], None]:
    """Return a function that does one step on a batch, as the training loop has it; half of it is infrared."""
    fabric = device.fabric()
    memory_format = MEMORY_FORMATS[device.memory_format]
    images = images.contiguous(memory_format=memory_format)
    pids = torch.arange(settings.num_pids, device=images.device)
    labels = pids.repeat_interleave(settings.num_instances).repeat(2)
    batch = Batch(images, labels, len(images) // 2)
    method = method.to(memory_format=memory_format)
    wrapped, optimizer = fabric.setup(method, build_optimizer(method, settings))

    def step() -> None:
        losses = wrapped(batch, alone).losses
        optimizer.zero_grad()
        fabric.backward(sum(method.loss_weights[name] * loss for name, loss in losses.items()))
        if settings.clip_norm:
            fabric.clip_gradients(wrapped, optimizer, max_norm=settings.clip_norm)
        optimizer.step()

    return step


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Mean seconds of a call, after one that is not timed."""
    work()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


if __name__ == "__main__":
    typer.run(main)
