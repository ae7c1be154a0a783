"""The training loop with a made-up method of two numbers: a group's factor, and the optimisers. CPU, seconds."""

from types import SimpleNamespace

import pytest
import torch

from vireid.compute import Device
from vireid.methods.base import Batch, Method
from vireid.training.loop import Trainer
from vireid.training.optimizer import build_optimizer


class _Slope(Method):
    """Its loss is the sum of its two weights, so every gradient is 1; the first weight has factors by epoch."""

    embedding_dims, loss_weights = {"none": 1}, {"slope": 1.0}

    def __init__(self, factors):
        super().__init__()
        self.factors, self.course = factors, []
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.other = torch.nn.Parameter(torch.zeros(1))

    def outputs(self, batch):
        return self.weight + self.other

    def losses(self, outputs, batch, everyone):
        return {"slope": outputs.sum()}

    def embed(self, images, modality):
        raise NotImplementedError

    def param_groups(self, lr):
        return [{"params": [self.weight], "lr": lr}, {"params": [self.other], "lr": lr / 4}]

    def lr_factors(self, epoch):
        return None if self.factors is None else [self.factors[epoch], 1.0]

    def on_epoch(self, epoch, history):
        self.course.append((self.weight.item(), self.other.item()))


class _OneBatch:
    """A loader of one batch in an epoch."""

    def __len__(self):
        return 1

    def names(self, epoch, step):
        return ["cam1/0001/0001.jpg", "cam3/0001/0001.jpg"]

    def epoch(self, epoch, first=0):
        yield Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64), 1)


def trained(params, factors, epochs=5, momentum=0.5):
    """Both weights before each epoch, and the curve `lr`."""
    plain = {"epochs": epochs, "optimizer": "sgd", "lr": 1.0, "momentum": momentum, "nesterov": False}
    plain |= {"weight_decay": 0.0, "warmup_epochs": 0, "schedule": "step", "milestones": [99], "holdout_pids": 0}
    method, rates = _Slope(factors), []
    settings = params.train.model_copy(update=plain)
    resume = SimpleNamespace(load=lambda: None, save=lambda state: None)
    trainer = Trainer(method, None, settings, _OneBatch(), Device("cpu", "fp32", 1).fabric(), resume)
    trainer.run(lambda epoch, curves: rates.append(curves["lr"]))
    return *([pair[n] for pair in method.course] for n in (0, 1)), rates


def test_factor_multiplies_the_rate_of_its_group_alone(params):
    weight, other, rates = trained(params, [1.0, 0.5, 0.0, 2.0, 1.0], momentum=0.0)
    assert weight == pytest.approx([0, -1, -1.5, -1.5, -3.5])
    assert other == pytest.approx([0, -0.25, -0.5, -0.75, -1])
    assert rates == pytest.approx([1.0, 0.5, 0.25, 2.0, 1.0])  # of the group that learns fastest


def test_held_weight_stays_and_goes_on_with_the_momentum_of_all_its_gradients(params):
    held, other, _ = trained(params, [1.0, 1.0, 0.0, 1.0, 1.0])
    assert held == pytest.approx([0, -1, -2.5, -2.5, -4.375])
    assert other == pytest.approx([0, -0.25, -0.625, -1.0625, -1.53125])


def test_method_without_factors_learns_as_with_factors_of_one(params):
    assert trained(params, None) == trained(params, [1.0] * 5)
    assert trained(params, None)[0] == pytest.approx([0, -1, -2.5, -4.25, -6.125])


@pytest.mark.parametrize(
    ("name", "kind", "places"),
    [
        # The gradient with its decay is 1 - 3: a first step is one learning rate long, against its sign.
        ("adam", torch.optim.Adam, (-3 + 0.1, -3 + 0.025)),
        # A tenth of the weight for the decay, or 0.025 of it; then one learning rate against the gradient.
        ("adamw", torch.optim.AdamW, (-3 + 0.3 - 0.1, -3 + 0.075 - 0.025)),
        ("sgd", torch.optim.SGD, (-3 + 0.1 * 2, -3 + 0.025 * 2)),
    ],
)
def test_first_step_of_each_optimiser_is_that_of_its_groups_and_weight_decay(params, name, kind, places):
    plain = {"optimizer": name, "lr": 0.1, "weight_decay": 1.0, "momentum": 0.0, "nesterov": False}
    method = _Slope(None)
    optimizer = build_optimizer(method, params.train.model_copy(update=plain))
    assert type(optimizer) is kind
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.025]
    for weight in method.parameters():
        weight.data.fill_(-3)
    method.outputs(None).backward()
    optimizer.step()
    assert (method.weight.item(), method.other.item()) == pytest.approx(places, rel=1e-6)


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_moments_of_both_adams_fade_by_0_9_and_0_999(params, name):
    optimizer = build_optimizer(_Slope(None), params.train.model_copy(update={"optimizer": name}))
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.999)}
