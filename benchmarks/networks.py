"""Time the training step of HPILN's nine networks at full size, and count their memory and parameters.

    python benchmarks/networks.py

Each network trains as the training loop has it, by the schedule `paper` of its preset: its size of images, batch,
losses and optimiser; weights and images are random. Each has a process of its own, so that its memory is its own.
"""

import resource
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Annotated

import torch
import typer
from step import CONF, built, recipe_of, seconds, training_step

from vireid.compute import Device, all_cores, choose_device
from vireid.layers import preset_names
from vireid.methods.hpiln.method import Hpiln
from vireid.support.progress import track
from vireid.support.tables import Column, print_table

COLUMNS = [
    Column("network"),
    *(Column(name, number=True) for name in ("height", "width", "D", "parameters", "MiB", "s per step", "times")),
]


@dataclass(frozen=True)
class Measured:
    """What one network takes.

    Attributes:
        height: Of its images, pixels.
        width: Of its images, pixels.
        embedding_dim: Width D of the embedding.
        parameters: Of the network, classifiers for 395 identities included.
        mebibytes: Largest memory of the process, or of the GPU where there is one.
        step: Seconds of a training step.
    """

    height: int
    width: int
    embedding_dim: int
    parameters: int
    mebibytes: float
    step: float


def main(
    networks: Annotated[str, typer.Option(help="Presets of conf/method, with commas; empty for all nine.")] = "",
    schedule: Annotated[str, typer.Option(help="One of their schedules.")] = "paper",
    pids: Annotated[int, typer.Option(help="Identities in a batch; 0 for the preset's.")] = 0,
    steps: Annotated[int, typer.Option(help="Timed steps, after one that is not.")] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
) -> None:
    """Print one table; `times` is the step's time over the first network's."""
    names = networks.split(",") if networks else nine()
    chosen = choose_device(all_cores(device, precision))
    measured = {
        name: in_its_own_process(name, schedule, pids, steps, chosen)
        for name in track(names, "networks", len(names), "networks")
    }
    first = next(iter(measured.values())).step
    rows = [
        [
            name.removeprefix("hpiln_"),
            str(one.height),
            str(one.width),
            str(one.embedding_dim),
            f"{one.parameters:,}",
            f"{one.mebibytes:,.0f}",
            f"{one.step:.2f}",
            f"{one.step / first:.2f}",
        ]
        for name, one in measured.items()
    ]
    print_table(f"{chosen.accelerator}, {chosen.precision}, schedule {schedule}", COLUMNS, rows)


def nine() -> list[str]:
    """Names of the networks' presets, the one on the plain ResNet-50 first."""
    names = [name for name in preset_names(CONF, "method") if name.startswith("hpiln_")]
    return sorted(names, key=lambda name: (name != "hpiln_resnet50", name))


def in_its_own_process(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one network in a process that does nothing else."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measure, name, schedule, pids, steps, device).result()


def measure(name: str, schedule: str, pids: int, steps: int, device: Device) -> Measured:
    """Measure one network in this process."""
    recipe = recipe_of(name, schedule, pids)
    height, width = recipe.ingest.height, recipe.ingest.width
    method = built(recipe)
    assert isinstance(method, Hpiln)
    parameters = sum(parameter.numel() for parameter in method.network.parameters())
    images = torch.randn(2 * recipe.train.num_pids * recipe.train.num_instances, 3, height, width)
    fabric_device = device.fabric().device
    on_gpu = fabric_device.type == "cuda"
    step = training_step(method, recipe.train, device, images.to(fabric_device))

    def finished_step() -> None:
        step()
        if on_gpu:
            torch.cuda.synchronize()

    time = seconds(finished_step, steps)
    peak = torch.cuda.max_memory_allocated() / 2**20 if on_gpu else peak_of_process()
    return Measured(height, width, method.network.embedding_dim, parameters, peak, time)


def peak_of_process() -> float:
    """Largest memory that this process had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    typer.run(main)
