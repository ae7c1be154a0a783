"""Time training steps and embedding of any presets, and count their memory and parameters.

    python benchmarks/methods.py                               # the methods of results/methods, schedule quick
    python benchmarks/methods.py "hpiln_*" --schedule paper    # HPILN's nine networks at full size

Each trains as the training loop has it, by the schedule of its preset: its size of images, batch, losses and
optimiser; weights and images are random. Each has a process of its own, so that its memory is its own.
"""

import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing import get_context
from typing import Annotated

import torch
import typer
from step import CONF, built, recipe_of, seconds, training_step

from vireid.compute import Device, all_cores, choose_device
from vireid.data.records import Modality
from vireid.experiments.grid import load_grid
from vireid.layers import preset_names
from vireid.methods import method_class
from vireid.methods.base import Method
from vireid.support.progress import track
from vireid.support.tables import Column, print_table

TITLES = ("height", "width", "D", "parameters", "MiB", "s per step", "trained/s", "embedded/s", "times")
COLUMNS = [Column("preset"), *(Column(title, number=True) for title in TITLES)]


@dataclass(frozen=True)
class Measured:
    """What one preset takes.

    Attributes:
        height: Of its images, pixels.
        width: Of its images, pixels.
        embedding_dim: Width D of the embedding that is ranked.
        parameters: Classifiers for 395 identities included.
        mebibytes: Largest memory of the process, or of the GPU where there is one.
        step: Seconds of a training step.
        images: Of a step.
        embedded: Images per second in eval mode.
    """

    height: int
    width: int
    embedding_dim: int
    parameters: int
    mebibytes: float
    step: float
    images: int
    embedded: float


def main(
    presets: Annotated[str, typer.Argument(help="Patterns of conf/method's names, with commas.")] = "",
    schedule: Annotated[str, typer.Option(help="One of their schedules.")] = "quick",
    pids: Annotated[int, typer.Option(help="Identities in a batch; 0 for the preset's.")] = 0,
    steps: Annotated[int, typer.Option(help="Timed steps, after one that is not.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
) -> None:
    """Print one table; `times` is the step's time for an image over that of the first preset."""
    names = named(presets.split(",")) if presets else compared()
    chosen = choose_device(all_cores(device, precision))
    measured = {
        name: in_its_own_process(name, schedule, pids, steps, chosen)
        for name in track(names, "presets", len(names), "presets")
    }
    first = next(iter(measured.values()))
    rows = [
        [
            name,
            str(one.height),
            str(one.width),
            str(one.embedding_dim),
            f"{one.parameters:,}",
            f"{one.mebibytes:,.0f}",
            f"{one.step:.2f}",
            f"{one.images / one.step:,.1f}",
            f"{one.embedded:,.1f}",
            f"{one.step / one.images * first.images / first.step:.2f}",
        ]
        for name, one in measured.items()
    ]
    print_table(f"{chosen.accelerator}, {chosen.precision}, schedule {schedule}", COLUMNS, rows)


def named(patterns: Sequence[str]) -> list[str]:
    """Presets of methods that are trained, by patterns; a plain ResNet-50 first: others are compared with it."""
    names = [name for name in preset_names(CONF, "method") if any(fnmatch(name, pattern) for pattern in patterns)]
    return sorted(trained(names), key=lambda name: (not name.endswith("resnet50"), name))


def compared() -> list[str]:
    """Presets of the comparison of all methods, in its order, each once."""
    rows = load_grid(CONF, "results/methods").rows.values()
    return trained(list(dict.fromkeys(row.presets["method"] for row in rows if row.presets)))


def trained(names: Sequence[str]) -> list[str]:
    """Those that are trained by steps."""
    return [name for name in names if issubclass(method_class(recipe_of(name, "quick", 0).method), Method)]


def in_its_own_process(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one preset in a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, schedule, pids, steps, device).result()


def measure(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one preset in this process."""
    recipe = recipe_of(name, schedule, pids)
    height, width = recipe.ingest.height, recipe.ingest.width
    method = built(recipe)
    count = 2 * recipe.train.num_pids * recipe.train.num_instances
    fabric = device.fabric()
    fabric_device = fabric.device
    images = torch.randn(count, 3, height, width).to(fabric_device, memory_format=torch.channels_last)
    step = training_step(method, recipe.train, device, images)

    def finished_step() -> None:
        step()
        if fabric_device.type == "cuda":
            torch.cuda.synchronize()

    @torch.inference_mode()
    def embedded() -> None:
        with fabric.autocast():
            for values in method.embed(images, Modality.INFRARED).values():
                values.cpu()

    time = seconds(finished_step, steps)
    method.eval()
    rate = count / seconds(embedded, steps)
    on_gpu = fabric_device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_of_process()
    parameters = sum(parameter.numel() for parameter in method.parameters())
    dim = next(iter(method.embedding_dims.values()))
    return Measured(height, width, dim, parameters, peak, time, count, rate)


def peak_of_process() -> float:
    """Largest memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
