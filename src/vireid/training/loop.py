"""The training loop: sums `weight * loss`, logs every term, and knows no paper."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from vireid.losses.gather import gather_over
from vireid.methods.base import Batch, Method
from vireid.params import Train
from vireid.support.errors import UserError
from vireid.support.progress import Bar, console, progress
from vireid.support.weights import load_weights
from vireid.training.data import TrainingImages
from vireid.training.divergence import diverged
from vireid.training.holdout import score_holdout
from vireid.training.loader import Loader
from vireid.training.model_folder import cpu_state
from vireid.training.resume import ResumePoint
from vireid.training.schedule import lr_factor

Curves = dict[str, float]

# Adam adds its weight decay to the gradient, AdamW takes it off the weights.
_ADAMS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


@dataclass
class Best:
    """The weights to keep: those of the epoch with the highest held-out mAP, or of the last epoch."""

    epoch: int = -1
    scores: Curves = field(default_factory=dict)
    weights: dict[str, Tensor] = field(default_factory=dict)

    def offer(self, epoch: int, scores: Curves, method: Method) -> None:
        """Keep this epoch's weights if they are better, or if nothing is held out."""
        if not scores or scores["holdout/mAP"] > self.scores.get("holdout/mAP", -1.0):
            self.epoch, self.scores, self.weights = epoch, scores, cpu_state(method)


class Trainer:
    """One training run of one method.

    Args:
        method: Built, on the CPU.
        images: What chooses its epoch.
        settings: The parameters' section `train`.
        loader: Its batches.
        fabric: Device and precision.
    """

    def __init__(self, method: Method, images: TrainingImages, settings: Train, loader: Loader, fabric: Fabric):
        self.images, self.settings, self.loader, self.fabric = images, settings, loader, fabric
        self.steps = len(loader)
        self.everyone = gather_over(fabric.world_size)
        method = method.to(memory_format=torch.channels_last)
        self.method, self.optimizer = fabric.setup(method, build_optimizer(method, settings))
        self.method.mark_forward_method("embed")
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self.history: list[Curves] = []
        self.best = Best()

    def run(self, resume: ResumePoint, log: Callable[[int, Curves], None]) -> Best:
        """Train to the last epoch, from where a killed run stopped.

        Args:
            resume: Where the state is saved after every epoch.
            log: Called with (epoch, curves) for every epoch, those before a resumption included.

        Raises:
            UserError: If the loss is no longer finite.
            KeyboardInterrupt: After Ctrl-C, with a text that says where the next run goes on.
        """
        self._restore(resume)
        saved, last = len(self.history), self.settings.epochs
        if saved:
            next_one = f"at epoch {saved + 1} of {last}" if saved < last else f"after epoch {last}, the last one"
            console.print(f"resuming {next_one}")
        for epoch, curves in enumerate(self.history):
            log(epoch, curves)
        try:
            for epoch in self._epochs(log):
                resume.save(self._state())
                saved = epoch + 1
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_interrupted(saved, last)) from None
        return self.best

    def _epochs(self, log: Callable[[int, Curves], None]) -> Iterator[int]:
        """Train the epochs that are left and yield each that is done."""
        total = self.settings.epochs * self.steps * self.settings.num_pids * self.settings.num_instances * 2
        with progress(f"train {type(self.method.module).__name__}", total, "images") as bar:
            bar.advance(total * len(self.history) // self.settings.epochs)
            for epoch in range(len(self.history), self.settings.epochs):
                curves = self._epoch(epoch, bar) | self._validate(epoch)
                self.history.append(curves)
                log(epoch, curves)
                yield epoch

    def _epoch(self, epoch: int, bar: Bar) -> Curves:
        self.method.module.on_epoch(epoch, self.history)
        self.method.train()
        factors = self.method.module.lr_factors(epoch) or [1.0] * len(self.base_lrs)
        sums: dict[str, Tensor | float] = defaultdict(float)
        before: Curves = {}
        for step, batch in enumerate(self.loader.epoch(epoch)):
            factor = lr_factor(self.settings, epoch + (step + 1) / self.steps)
            for group, lr, of_method in zip(self.optimizer.param_groups, self.base_lrs, factors, strict=True):
                group["lr"] = lr * factor * of_method
            values = self._step(batch)
            # A step behind: the values of this one would have to be waited for, where a GPU computes them.
            _require_finite(before, epoch, step)
            before = values
            for name, value in values.items():
                sums[name] += value
            bar.advance(len(batch.labels), note=f"epoch {epoch + 1}/{self.settings.epochs}")
        _require_finite(before, epoch, self.steps)
        means = {name: float(value) / self.steps for name, value in sums.items()}
        return means | {"lr": max(group["lr"] for group in self.optimizer.param_groups)}

    def _step(self, batch: Batch) -> Curves:
        result = self.method(batch, self.everyone)
        weights = self.method.module.loss_weights
        total = sum(weights[name] * loss for name, loss in result.losses.items())
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        if self.settings.clip_norm:
            # What is not finite shows in the next losses, without waiting for the norm.
            self.fabric.clip_gradients(
                self.method, self.optimizer, max_norm=self.settings.clip_norm, error_if_nonfinite=False
            )
        self.optimizer.step()
        curves = {"loss/total": total} | {f"loss/{name}": loss for name, loss in result.losses.items()}
        curves |= {f"train/{name}": value for name, value in result.measures.items()}
        return {name: value.detach() for name, value in curves.items()}

    def _validate(self, epoch: int) -> Curves:
        last = epoch + 1 == self.settings.epochs
        if not (last or (epoch + 1) % self.settings.validate_every == 0):
            return {}
        scores = self._holdout_scores(epoch) if self.settings.holdout_pids else {}
        self.best.offer(epoch, scores, self.method.module)
        return scores

    def _holdout_scores(self, epoch: int) -> Curves:
        self.method.eval()
        size = 2 * self.settings.num_pids * self.settings.num_instances
        return score_holdout(self.method, self.images.holdout, size, self.fabric.device, f"epoch {epoch + 1}")

    def _state(self) -> dict[str, Any]:
        return {
            "method": cpu_state(self.method.module),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if self.fabric.device.type == "cuda" else [],
            "history": self.history,
            "best": vars(self.best),
        }

    def _restore(self, resume: ResumePoint) -> None:
        state = resume.load()
        if state is None:
            return
        load_weights(self.method.module, state["method"], resume.folder, resume.anew)
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"]:
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        self.history, self.best = state["history"], Best(**state["best"])


def build_optimizer(method: Method, settings: Train) -> torch.optim.Optimizer:
    """Build the optimiser of a recipe over a method's groups of parameters.

    Raises:
        UserError: If Nesterov's method is asked for without a momentum.
    """
    groups = method.param_groups(settings.lr)
    if settings.optimizer in _ADAMS:
        return _ADAMS[settings.optimizer](groups, settings.lr, weight_decay=settings.weight_decay)
    if settings.nesterov and not settings.momentum:
        raise UserError(
            "train.nesterov",
            "Nesterov's method needs a momentum",
            expected="train.momentum above 0",
            found=settings.momentum,
            remedy="raise train.momentum, or set train.nesterov: false",
        )
    return torch.optim.SGD(
        groups,
        settings.lr,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
        nesterov=settings.nesterov,
    )


def _require_finite(curves: Curves, epoch: int, step: int) -> None:
    """Refuse to go on with losses that are no numbers; epoch from 0, step from 1."""
    losses = {name: value for name, value in curves.items() if name.startswith("loss/")}
    if losses and not math.isfinite(losses["loss/total"]):
        values = ", ".join(f"{name.removeprefix('loss/')} {float(value):g}" for name, value in losses.items())
        raise diverged(f"epoch {epoch + 1}, step {step}", "losses", values)


def _interrupted(saved: int, last: int) -> str:
    """Say what an interruption leaves and what to do; under DVC the same command is `dvc repro`."""
    if not saved:
        return f"interrupted in epoch 1 of {last}, before anything was saved"
    return f"interrupted after epoch {saved} of {last}; the same command (`dvc repro`) goes on from there"
