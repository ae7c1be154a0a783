"""The training loop with a made-up method of one number: what the optimiser remembers. CPU, seconds."""

from types import SimpleNamespace

import pytest
import torch

from vireid.compute import Device
from vireid.methods.base import Method
from vireid.training.loader import Batch
from vireid.training.loop import Trainer


class _Slope(Method):
    """Its loss is its one weight, so every gradient is 1; the weight is held in some epochs."""

    embedding_dims, loss_weights = {"none": 1}, {"slope": 1.0}

    def __init__(self, held):
        super().__init__()
        self.held, self.course = held, []
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.other = torch.nn.Parameter(torch.zeros(1))

    def forward(self, images, modality):
        return self.weight + self.other

    def losses(self, outputs, labels, modality):
        return {"slope": outputs.sum()}

    def embed(self, images, modality):
        raise NotImplementedError

    def on_epoch(self, epoch, history):
        self.weight.requires_grad_(epoch not in self.held)
        self.course.append((self.weight.item(), self.other.item()))


class _OneBatch:
    """A loader of one batch in an epoch."""

    def __len__(self):
        return 1

    def epoch(self, epoch):
        yield Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64), torch.tensor([0, 1]))


def course_of(params, held, epochs):
    """Both weights before each epoch."""
    plain = {"epochs": epochs, "optimizer": "sgd", "lr": 1.0, "momentum": 0.5, "nesterov": False}
    plain |= {"weight_decay": 0.0, "warmup_epochs": 0, "schedule": "step", "milestones": [99], "holdout_pids": 0}
    method = _Slope(held)
    settings = params.train.model_copy(update=plain)
    trainer = Trainer(method, None, settings, _OneBatch(), Device("cpu", "fp32", 1).fabric())
    trainer.run(SimpleNamespace(load=lambda: None, save=lambda state: None), lambda epoch, curves: None)
    return [[pair[n] for pair in method.course] for n in (0, 1)]


def test_weight_that_is_let_go_starts_without_its_old_momentum(params):
    held, free = course_of(params, held={2}, epochs=5)
    assert held == pytest.approx([0, -1, -2.5, -2.5, -3.5])
    assert free == pytest.approx([0, -1, -2.5, -4.25, -6.125])


def test_optimiser_forgets_nothing_of_weights_that_are_not_held(params):
    first, second = course_of(params, held=(), epochs=5)
    assert first == second == pytest.approx([0, -1, -2.5, -4.25, -6.125])
