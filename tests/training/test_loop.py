"""The training loop with a made-up method of two numbers: factors, optimisers, what is told. CPU, seconds."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import torch

from vireid.compute import Device
from vireid.methods.base import Batch, Method
from vireid.support.errors import UserError
from vireid.training import loop
from vireid.training.divergence import EVERY, LossWatch
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


class _Batches:
    """A loader of a few batches in an epoch."""

    def __init__(self, steps=1):
        self._steps = steps

    def __len__(self):
        return self._steps

    def names(self, epoch, step):
        return ["cam1/0001/0001.jpg", "cam3/0001/0001.jpg"]

    def epoch(self, epoch, first=0):
        for _ in range(first, self._steps):
            yield Batch(torch.zeros(2, 3, 4, 4), torch.zeros(2, dtype=torch.int64), 1)


def trainer_of(params, method, steps=1, fabric=None, **changes):
    plain = {"epochs": 5, "optimizer": "sgd", "lr": 1.0, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0}
    plain |= {"warmup_epochs": 0, "schedule": "step", "milestones": [99], "holdout_pids": 0}
    settings = params.train.model_copy(update=plain | changes)
    resume = SimpleNamespace(load=lambda: None, save=lambda state: None)
    return Trainer(method, None, settings, _Batches(steps), fabric or Device("cpu", "fp32", 1).fabric(), resume)


def trained(params, factors, **changes):
    """Both weights before each epoch, and the curve `lr`."""
    method, rates = _Slope(factors), []
    trainer_of(params, method, **changes).run(lambda epoch, curves: rates.append(curves["lr"]))
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


@pytest.mark.parametrize(("clip", "length"), [(0.0, 2**0.5), (0.5, 0.5)])
def test_curve_of_the_gradients_norm_is_that_before_it_is_clipped(params, clip, length):
    method, curves = _Slope(None), []
    trainer = trainer_of(params, method, epochs=2, momentum=0.0, clip_norm=clip)
    trainer.run(lambda epoch, values: curves.append(values["gradient_norm"]))
    assert curves == pytest.approx([2**0.5] * 2)
    # Of both gradients, 1 and 1, each has its share of the length; the groups' rates are 1 and 1 / 4.
    assert method.course[1] == pytest.approx((-length / 2**0.5, -length / 2**0.5 / 4))


def test_steps_between_two_looks_read_nothing_back_from_the_device(params, monkeypatch):
    reads = []

    def counted(name):
        real = getattr(torch.Tensor, name)
        return lambda tensor, *arguments, **options: reads.append(name) or real(tensor, *arguments, **options)

    for name in ("item", "tolist", "cpu", "numpy", "__float__", "__bool__", "__int__"):
        monkeypatch.setattr(torch.Tensor, name, counted(name))
    counts = []
    for steps in (3, 9):
        reads.clear()
        trainer = trainer_of(params, _Slope(None), steps, epochs=1)
        trainer.watch = LossWatch(EVERY, trainer.loader.names, trainer.everyone)
        trainer.run(lambda epoch, curves: None)
        counts.append(len(reads))
    assert counts[0] == counts[1] > 0  # what an epoch costs, whatever its length


@pytest.mark.parametrize(("device", "every"), [("cpu", 1), ("cuda", EVERY)])
def test_losses_of_a_gpu_are_looked_at_now_and_then(params, device, every):
    real = Device("cpu", "fp32", 1).fabric()
    fabric = SimpleNamespace(world_size=1, device=torch.device(device), setup=real.setup)
    assert trainer_of(params, _Slope(None), fabric=fabric).watch._every == every


def test_line_below_the_bar_tells_epoch_terms_and_memory(params, monkeypatch):
    notes = []

    @contextmanager
    def noted(title, total, unit):
        assert (title, total, unit) == ("train _Slope", 2 * 3 * 2 * 8, "images")
        yield SimpleNamespace(advance=lambda count, note=None: notes.append(note))

    monkeypatch.setattr(loop, "progress", noted)
    monkeypatch.setattr(loop, "memory_in_use", lambda device: 3 << 29)
    size = {"num_pids": 4, "num_instances": 2}
    trainer_of(params, _Slope(None), 3, epochs=2, momentum=0.0, **size).run(lambda epoch, curves: None)
    lines = [note for note in notes if note]
    assert lines[0] == "epoch 1/2  loss 0.00 (slope 0.00)  1.5 GiB"
    assert lines[-1] == "epoch 2/2  loss -6.25 (slope -6.25)  1.5 GiB"


@pytest.mark.parametrize("first", [True, False])
def test_state_that_the_first_process_cannot_load_ends_all_of_them(params, first):
    refusal = UserError(
        "last.pt", "the state cannot be read", expected="a state", found="damage", remedy="move it"
    )
    trainer = trainer_of(params, _Slope(None))

    def load():
        assert first  # the others are told
        raise refusal

    sent = []
    told = (None, {"where": "last.pt", "problem": "it", "expected": "a", "found": "b", "remedy": "c"})

    def broadcast(values):
        sent.append(values)
        return values if first else told

    trainer.resume = SimpleNamespace(load=load)
    trainer.fabric = SimpleNamespace(is_global_zero=first, broadcast=broadcast)
    with pytest.raises(UserError, match="last") as error:
        trainer.run(lambda epoch, curves: None)
    assert sent == [(None, vars(refusal) if first else None)]
    assert str(error.value) == str(refusal if first else UserError(**told[1]))
