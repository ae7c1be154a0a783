"""Time training steps and embedding of any presets, and count their memory and parameters.

    python benchmarks/methods.py                               # the methods of results/methods, schedule quick
    python benchmarks/methods.py "hpiln_*" --schedule paper    # HPILN's nine networks at full size

Each trains as the training loop has it, by the schedule of its preset: its size of images, batch, losses and
optimiser; weights and images are random. A method that is fitted has one step, the fit to 400 identities. Each has
a process of its own, so that its memory is its own.
"""

import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing import get_context
from typing import Annotated

import numpy as np
import torch
import typer
from step import CONF, built, recipe_of, seconds, training_step

from vireid.compute import Device, all_cores, choose_device
from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.experiments.grid import load_grid
from vireid.layers import preset_names
from vireid.methods import build_method, method_class
from vireid.methods.base import Embedder, Fitted, Method
from vireid.params import Params
from vireid.support.progress import track
from vireid.support.tables import Column, print_table

TITLES = ("height", "width", "D", "parameters", "MiB", "s per step", "trained/s", "embedded/s", "times")
COLUMNS = [Column("preset"), *(Column(title, number=True) for title in TITLES)]
FITTED_PIDS = 400  # identities of the embedded data set that a method is fitted to
EMBEDDED = 64  # images that a fitted method embeds at a time


@dataclass(frozen=True)
class Measured:
    """What one preset takes.

    Attributes:
        height: Of its images, pixels.
        width: Of its images, pixels.
        embedding_dim: Width D of the embedding that is ranked.
        parameters: Classifiers for 395 identities included.
        mebibytes: Largest memory of the process, or of the GPU where there is one.
        step: Seconds of a training step, or of a fit.
        images: Of a step or of a fit.
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
    """Print one table; `times` is the step's time for an image over that of the first preset.

    What is fitted has no step: its row has the seconds of the whole fit, on the CPU in any case.
    """
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
    """Presets by patterns; a plain ResNet-50 first: others are compared with it."""
    names = [name for name in preset_names(CONF, "method") if any(fnmatch(name, pattern) for pattern in patterns)]
    return sorted(names, key=lambda name: (not name.endswith("resnet50"), name))


def compared() -> list[str]:
    """Presets of the comparison of all methods, in its order, each once."""
    rows = load_grid(CONF, "results/methods").rows.values()
    return list(dict.fromkeys(row.presets["method"] for row in rows if row.presets))


def in_its_own_process(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one preset in a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, schedule, pids, steps, device).result()


def measure(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one preset in this process."""
    recipe = recipe_of(name, schedule, pids)
    if issubclass(method_class(recipe.method), Method):
        return measure_steps(recipe, steps, device)
    return measure_fit(recipe, steps)


def measure_fit(recipe: Params, steps: int) -> Measured:
    """Measure a method that is fitted, on the CPU, by one fit."""
    method = build_method(recipe.method, FITTED_PIDS, recipe.model, recipe.loss)
    assert isinstance(method, Fitted)
    height, width = recipe.ingest.height, recipe.ingest.width
    labels = np.arange(FITTED_PIDS).repeat(recipe.model["images_per_pid"])
    rng = np.random.default_rng(0)
    images = {kind: rng.integers(0, 256, (len(labels), height, width, 3), np.uint8) for kind in Modality}
    start = time.perf_counter()
    method.fit(images, dict.fromkeys(Modality, labels))
    fit = time.perf_counter() - start
    shown = normalise(torch.from_numpy(images[Modality.INFRARED][:EMBEDDED]))
    rate = EMBEDDED / seconds(embedding_of(method, shown), steps)
    return measured_of(recipe, method, peak_of_process(), step=fit, images=2 * len(labels), embedded=rate)


def measure_steps(recipe: Params, steps: int, device: Device) -> Measured:
    """Measure a method that is trained by steps."""
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

    step_seconds = seconds(finished_step, steps)
    method.eval()
    rate = count / seconds(embedding_of(method, images, fabric.autocast), steps)
    on_gpu = fabric_device.type == "cuda"
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_of_process()
    return measured_of(recipe, method, peak, step=step_seconds, images=count, embedded=rate)


def embedding_of(
    model: Embedder, images: torch.Tensor, arithmetic: Callable[[], AbstractContextManager[object]] = nullcontext
) -> Callable[[], None]:
    """Return a function that embeds images and has the embeddings in the host's memory."""

    @torch.inference_mode()
    def embed() -> None:
        with arithmetic():
            for values in model.embed(images, Modality.INFRARED).values():
                values.cpu()

    return embed


def measured_of(
    recipe: Params, model: Embedder, mebibytes: float, *, step: float, images: int, embedded: float
) -> Measured:
    """Put what was measured beside the sizes of images and model."""
    parameters = sum(parameter.numel() for parameter in model.parameters())
    dim = next(iter(model.embedding_dims.values()))
    height, width = recipe.ingest.height, recipe.ingest.width
    return Measured(height, width, dim, parameters, mebibytes, step, images, embedded)


def peak_of_process() -> float:
    """Largest memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
