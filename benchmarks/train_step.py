"""Time a training step in bf16 with channels last against plain fp32, and the data path against both.

    python benchmarks/train_step.py --backbone resnet50 --height 288 --width 144

Prints images per second, measured in one process, and their ratios.
"""

import time
from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
import typer

from vireid.data.augmentation import augmented
from vireid.methods.baseline import Baseline, Loss, Model
from vireid.params import Augmentation

AUGMENTATION = Augmentation(pad=10, flip=0.5, erase=0.5, channel_mix=0.5, signed_mix=True)
LOSS = Loss(identity=1.0, triplet=1.0, margin=0.3, label_smoothing=0.0)


def main(
    backbone: Annotated[str, typer.Option(help="resnet10_half, resnet18 or resnet50.")] = "resnet50",
    height: Annotated[int, typer.Option(help="Pixels.")] = 288,
    width: Annotated[int, typer.Option(help="Pixels.")] = 144,
    batch: Annotated[int, typer.Option(help="Images in a step, half of them infrared.")] = 32,
    steps: Annotated[int, typer.Option(help="Timed steps, after one that is not.")] = 4,
) -> None:
    """Time the baseline's training step and the augmentation that feeds it."""
    images = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    modality = torch.arange(2).repeat_interleave(batch // 2)
    rng = np.random.default_rng(0)

    def load() -> torch.Tensor:
        return augmented(images, modality, AUGMENTATION, rng, torch.device("cpu"))

    rates = {
        "data path": batch / seconds(load, steps),
        "step, fp32 contiguous": batch / seconds(training_step(backbone, load().contiguous(), False), steps),
        "step, bf16 channels last": batch / seconds(training_step(backbone, load(), True), steps),
    }
    fast, plain = rates["step, bf16 channels last"], rates["step, fp32 contiguous"]
    for name, rate in rates.items():
        typer.echo(f"{name:26} {rate:8.1f} images/s")
    typer.echo(f"bf16 channels last / fp32 contiguous: {fast / plain:.2f}")
    typer.echo(f"data path / bf16 step:                {rates['data path'] / fast:.1f}")


def training_step(backbone: str, images: torch.Tensor, fast: bool) -> Callable[[], None]:
    """Return a function that does one step of the baseline, in bf16 and channels last if `fast`."""
    model = Model(
        backbone=backbone, pretrained=False, last_stride=1, share_from=1, pooling="average", trunk_lr_factor=1.0
    )
    method = Baseline(395, model, LOSS)
    if fast:
        method = method.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(method.parameters(), 0.01)
    modality = torch.arange(2).repeat_interleave(len(images) // 2)
    labels = torch.arange(len(images) // 2).repeat(2) // 4

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=fast):
            outputs = method(images, modality)
        losses = method.losses(outputs, labels, modality)
        optimizer.zero_grad()
        sum(losses.values()).backward()
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
