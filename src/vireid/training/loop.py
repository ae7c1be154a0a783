"""The training loop: sums `weight * loss`, logs every term, and knows no paper."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from vireid.compute import memory_in_use
from vireid.losses.gather import gather_over
from vireid.methods.base import Batch, Method
from vireid.params import Train
from vireid.support.errors import UserError
from vireid.support.progress import Bar, console, progress
from vireid.support.weights import load_weights
from vireid.training.data import TrainingImages
from vireid.training.divergence import EVERY, LossWatch
from vireid.training.holdout import score_holdout
from vireid.training.loader import Loader
from vireid.training.model_folder import cpu_state
from vireid.training.optimizer import build_optimizer
from vireid.training.resume import ResumePoint
from vireid.training.schedule import lr_factor

Curves = dict[str, float]

_SHOWN = 3  # terms of the loss below the progress bar
_GIB = 1 << 30


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


@dataclass
class Running:
    """The epoch that is being trained: steps that are done, and the sums of their curves."""

    steps: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)

    def add(self, values: dict[str, Tensor]) -> None:
        """Count a step with its values, scalars."""
        self.steps += 1
        self.sums = {name: self.sums.get(name, 0.0) + value for name, value in values.items()}


class Trainer:
    """One training run of one method.

    Args:
        method: Built, on the CPU.
        images: What chooses its epoch.
        settings: The parameters' section `train`.
        loader: Its batches.
        fabric: Device, precision and processes.
        resume: Where the state is saved, and restored from.
        save_every: Steps between two saved states within an epoch; 0 saves after each epoch only.
    """

    def __init__(
        self,
        method: Method,
        images: TrainingImages,
        settings: Train,
        loader: Loader,
        fabric: Fabric,
        resume: ResumePoint,
        save_every: int = 0,
    ):
        self.images, self.settings, self.loader, self.fabric = images, settings, loader, fabric
        self.resume, self.steps, self.save_every = resume, len(loader), save_every
        self.everyone = gather_over(fabric.world_size)
        on_gpu = fabric.device.type == "cuda"
        if on_gpu and fabric.world_size > 1:
            method = nn.SyncBatchNorm.convert_sync_batchnorm(method)
        method = method.to(memory_format=torch.channels_last)
        self.method, self.optimizer = fabric.setup(method, build_optimizer(method, settings))
        self.method.mark_forward_method("embed")
        self.base_lrs = [group["lr"] for group in self.optimizer.param_groups]
        self.watch = LossWatch(EVERY if on_gpu else 1, loader.names, self.everyone)
        self.history: list[Curves] = []
        self.running = Running()
        self.best = Best()
        self._saved = (0, 0)  # epochs that are done, and steps of the next one

    def run(self, log: Callable[[int, Curves], None]) -> Best:
        """Train to the last epoch, from where a killed run stopped.

        Args:
            log: Called with (epoch, curves) for every epoch, those before a resumption included.

        Raises:
            UserError: If the loss is no longer finite.
            KeyboardInterrupt: After Ctrl-C, with a text that says where the next run goes on.
        """
        self._restore()
        if self._saved != (0, 0):
            console.print(f"resuming {self._next_one()}")
        for epoch, curves in enumerate(self.history):
            log(epoch, curves)
        try:
            self._epochs(log)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._interrupted()) from None
        return self.best

    def _epochs(self, log: Callable[[int, Curves], None]) -> None:
        """Train the epochs that are left, and save the state after each."""
        epochs = self.settings.epochs
        images_per_step = self.settings.num_pids * self.settings.num_instances * 2
        total = epochs * self.steps * images_per_step
        with progress(f"train {type(self.method.module).__name__}", total, "images") as bar:
            bar.advance((len(self.history) * self.steps + self.running.steps) * images_per_step)
            for epoch in range(len(self.history), epochs):
                curves = self._epoch(epoch, bar) | self._validate(epoch)
                self.history.append(curves)
                self.running = Running()
                log(epoch, curves)
                self._save()

    def _epoch(self, epoch: int, bar: Bar) -> Curves:
        if not self.running.steps:
            self.method.module.on_epoch(epoch, self.history)
        self.method.train()
        factors = self.method.module.lr_factors(epoch) or [1.0] * len(self.base_lrs)
        for batch in self.loader.epoch(epoch, self.running.steps):
            step = self.running.steps
            factor = lr_factor(self.settings, epoch + (step + 1) / self.steps)
            for group, lr, of_method in zip(self.optimizer.param_groups, self.base_lrs, factors, strict=True):
                group["lr"] = lr * factor * of_method
            losses, others = self._step(batch)
            self.running.add({f"loss/{name}": value for name, value in losses.items()} | others)
            note = self._note(epoch, losses) if self.watch.add(epoch, step, losses) else None
            bar.advance(len(batch.labels) * self.fabric.world_size, note)
            if self.save_every and self.running.steps % self.save_every == 0 and self.running.steps < self.steps:
                self.watch.look()
                self._save()
        self.watch.look()
        means = {name: float(value) / self.steps for name, value in self._sums().items()}
        return means | {"lr": max(group["lr"] for group in self.optimizer.param_groups)}

    def _sums(self) -> dict[str, Tensor]:
        """Sums of the running epoch, means over the processes."""
        names, values = list(self.running.sums), torch.stack(list(self.running.sums.values()))
        return dict(zip(names, cast(Tensor, self.fabric.all_reduce(values)).unbind(), strict=True))

    def _step(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Make one step; return the losses, `total` first, and other scalars worth a curve, without a graph."""
        result = self.method(batch, self.everyone)
        weights = self.method.module.loss_weights
        total = sum(weights[name] * loss for name, loss in result.losses.items())
        self.optimizer.zero_grad()
        self.fabric.backward(total)
        norm = self._clipped_norm()
        self.optimizer.step()
        losses = {"total": total} | result.losses
        others = {f"train/{name}": value for name, value in result.measures.items()} | {"gradient_norm": norm}
        return {n: v.detach() for n, v in losses.items()}, {n: v.detach() for n, v in others.items()}

    def _clipped_norm(self) -> Tensor:
        """Clip the gradients where that is asked for, and return their norm before; nothing waits for it."""
        if self.settings.clip_norm:
            norm = self.fabric.clip_gradients(
                self.method, self.optimizer, max_norm=self.settings.clip_norm, error_if_nonfinite=False
            )
            assert norm is not None
            return norm
        return nn.utils.get_total_norm([p.grad for p in self.method.parameters() if p.grad is not None])

    def _note(self, epoch: int, losses: dict[str, Tensor]) -> str:
        """What stands below the progress bar: the loss with its largest terms, and the memory in use."""
        weights = self.method.module.loss_weights
        terms = {name: weights[name] * float(value) for name, value in losses.items() if name != "total"}
        largest = sorted(terms, key=lambda name: -abs(terms[name]))[:_SHOWN]
        shown = ", ".join(f"{name} {terms[name]:.2f}" for name in largest)
        memory = f"{memory_in_use(self.fabric.device) / _GIB:.1f} GiB"
        return f"epoch {epoch + 1}/{self.settings.epochs}  loss {float(losses['total']):.2f} ({shown})  {memory}"

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

    def _save(self) -> None:
        sums = self._sums() if self.running.steps else {}  # by all processes
        if self.fabric.is_global_zero:
            self.resume.save(self._state(sums))
        self._saved = len(self.history), self.running.steps

    def _state(self, sums: dict[str, Tensor]) -> dict[str, Any]:
        on_gpu = self.fabric.device.type == "cuda"
        return {
            "method": cpu_state(self.method.module),
            "optimizer": self.optimizer.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state(self.fabric.device) if on_gpu else None,
            "history": self.history,
            "steps": self.running.steps,
            "sums": {name: value.cpu() for name, value in sums.items()},
            "best": vars(self.best),
        }

    def _restore(self) -> None:
        state = self._loaded()
        if state is not None:
            self.history, self.best = state["history"], Best(**state["best"])
            sums = {name: value.to(self.fabric.device) for name, value in state["sums"].items()}
            self.running = Running(state["steps"], sums)
            if self.running.steps:  # what it changes in the weights is in the state, what it decides is not
                self.method.module.on_epoch(len(self.history), self.history)
            load_weights(self.method.module, state["method"], self.resume.folder, self.resume.anew)
            self.optimizer.load_state_dict(state["optimizer"])
            torch.set_rng_state(state["rng"])
            if state["cuda_rng"] is not None:
                torch.cuda.set_rng_state(state["cuda_rng"], self.fabric.device)
        self._saved = len(self.history), self.running.steps

    def _loaded(self) -> dict[str, Any] | None:
        """Load the last state on the first process, for all of them: the others may have another disk.

        Raises:
            UserError: If the first process cannot load it; in all of them, so that none waits.
        """
        state, fault = None, None
        if self.fabric.is_global_zero:
            try:
                state = self.resume.load()
            except UserError as error:
                fault = {name: str(value) for name, value in vars(error).items()}
        state, fault = self.fabric.broadcast((state, fault))
        if fault:
            raise UserError(**fault)
        return state

    def _next_one(self) -> str:
        """Say where a resumed training goes on."""
        (epochs, steps), last = self._saved, self.settings.epochs
        if epochs == last:
            return f"after epoch {last}, the last one"
        within = f", step {steps + 1} of {self.steps}" if steps else ""
        return f"at epoch {epochs + 1} of {last}{within}"

    def _interrupted(self) -> str:
        """Say what an interruption leaves and what to do; under DVC the same command is `dvc repro`."""
        (epochs, steps), last = self._saved, self.settings.epochs
        if not (epochs or steps):
            return f"interrupted in epoch 1 of {last}, before anything was saved"
        where = f"after epoch {epochs} of {last}"
        if steps:
            where = f"in epoch {epochs + 1} of {last}, after step {steps} of {self.steps}"
        return f"interrupted {where}; the same command (`dvc repro`) goes on from there"
