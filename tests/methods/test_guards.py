"""Each guard of the contract lets a sound toy pass and stops one with the fault that it is for. CPU, seconds."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import (
    DataDependentOutputException,
    DynamicOutputShapeException,
    FakeTensorDeviceMismatchError,
)

from tests.methods import guards
from tests.methods.batches import paired_batch
from vireid.methods.base import Method
from vireid.params import Section

SIZE = (8, 4)
BATCH = paired_batch([2, 0, 1, 3], *SIZE)


class _Toy(Method):
    """One convolution, mean pooling and a classifier; a fault is one of its four parts replaced."""

    Model, Loss = Section, Section

    def __init__(self, loss=None, measure=None, embedding=None, epoch=None):
        super().__init__()
        self.convolution, self.classifier = nn.Conv2d(3, 5, 3), nn.Linear(5, 4)
        self.loss, self.measure, self.embedding, self.epoch = loss, measure, embedding, epoch
        self.embedding_dims, self.loss_weights = {"pooled": 5}, {"identity": 1.0}

    def outputs(self, batch):
        return self.classifier(self.convolution(batch.images).mean(dim=(2, 3)))

    def losses(self, outputs, batch, everyone):
        loss = nn.functional.cross_entropy(outputs, batch.labels)
        return {"identity": loss if self.loss is None else self.loss(loss, outputs, batch)}

    def measures(self, outputs, batch):
        rate = (outputs.argmax(dim=1) == batch.labels).float().mean()
        return {"accuracy": rate if self.measure is None else self.measure(rate)}

    def embed(self, images, modality):
        pooled = self.convolution(images).mean(dim=(2, 3))
        return {"pooled": pooled if self.embedding is None else self.embedding(pooled)}

    def on_epoch(self, epoch, history):
        if self.epoch is not None:
            self.epoch(self, epoch)


def toy(**fault):
    torch.manual_seed(0)
    return _Toy(**fault)


def _rows_that_nonzero_finds(loss, outputs, batch):
    return outputs.index_select(0, torch.nonzero(batch.labels == 1).flatten()).mean()


def _rows_by_a_mask(loss, outputs, batch):
    return outputs[batch.labels == 1].mean()


def _weight_that_is_waited_for(loss, outputs, batch):
    return loss * outputs.max().item()


def _branch_on_a_value(loss, outputs, batch):
    return loss if loss > 1 else 2 * loss


def _weights_left_on_the_cpu(loss, outputs, batch):
    return (outputs * torch.ones(4, device="cpu")).mean()


def _rate_that_is_made_anew_on_the_cpu(rate):
    return torch.tensor(0.5)


def _rate_that_is_waited_for(rate):
    return torch.tensor(rate.item())


def _embeddings_moved_to_the_cpu(pooled):
    return pooled.cpu()


def _embeddings_by_a_mask(pooled):
    return pooled[pooled[:, 0] > 0]


def _embeddings_that_are_waited_for(pooled):
    return pooled * pooled.max().item()


@pytest.mark.parametrize(
    ("part", "fault", "error"),
    [
        ("loss", _rows_that_nonzero_finds, DynamicOutputShapeException),
        ("loss", _rows_by_a_mask, DynamicOutputShapeException),
        ("loss", _weight_that_is_waited_for, DataDependentOutputException),
        ("loss", _branch_on_a_value, DataDependentOutputException),
        ("loss", _weights_left_on_the_cpu, FakeTensorDeviceMismatchError),
        ("measure", _rate_that_is_made_anew_on_the_cpu, AssertionError),
        ("measure", _rate_that_is_waited_for, DataDependentOutputException),
        ("embedding", _embeddings_moved_to_the_cpu, AssertionError),
        ("embedding", _embeddings_by_a_mask, DynamicOutputShapeException),
        ("embedding", _embeddings_that_are_waited_for, DataDependentOutputException),
    ],
)
def test_fake_cuda_stops_what_a_device_would_wait_for_and_what_is_not_on_it(part, fault, error):
    guards.runs_on_fake_cuda(toy(), BATCH)
    with pytest.raises(error):
        guards.runs_on_fake_cuda(toy(**{part: fault}), BATCH)


def _gradient_that_is_waited_for(loss, outputs, batch):
    outputs.register_hook(lambda gradient: gradient / gradient.max().item())
    return nn.functional.cross_entropy(outputs, batch.labels)


def test_meta_stops_a_gradient_that_is_waited_for():
    guards.learns_on_meta(toy(), BATCH)
    faulty = toy(loss=_gradient_that_is_waited_for)
    guards.runs_on_fake_cuda(faulty, BATCH)  # which does not see it
    with pytest.raises(RuntimeError, match="meta"):
        guards.learns_on_meta(faulty, BATCH)


@pytest.mark.parametrize(
    "embedding",
    [
        lambda pooled: pooled if len(pooled) == 3 else 2 * pooled,
        lambda pooled: pooled if pooled.sum() > 0 else -pooled,
        lambda pooled: pooled + torch.arange(3)[:, None],
    ],
    ids=["size of the example", "branch on a value", "written in"],
)
def test_export_stops_an_embedder_that_follows_values_or_the_size_of_its_example(embedding):
    guards.exports_with_a_free_batch_size(toy(), *SIZE)
    with pytest.raises(Exception, match=r"not close|Failed to export the model"):
        guards.exports_with_a_free_batch_size(toy(embedding=embedding), *SIZE)


def test_exported_embedder_that_gives_other_embeddings_is_stopped():
    calls = []

    def grows_with_every_call(pooled):
        calls.append(len(calls))
        return pooled * len(calls)

    with pytest.raises(AssertionError, match="not close"):
        guards.exports_with_a_free_batch_size(toy(embedding=grows_with_every_call), *SIZE)


def test_parameter_whose_gradient_is_switched_off_in_a_late_epoch_is_stopped():
    def hold_in_the_last_epoch(method, epoch):
        method.classifier.weight.requires_grad_(epoch < 9)

    guards.keeps_what_requires_grad(toy(), 10)
    guards.keeps_what_requires_grad(toy(epoch=hold_in_the_last_epoch), 9)
    with pytest.raises(AssertionError, match="epoch 9"):
        guards.keeps_what_requires_grad(toy(epoch=hold_in_the_last_epoch), 10)


def test_embedding_made_of_the_whole_batch_is_stopped():
    guards.embeds_each_image_by_itself(toy(), BATCH)
    with pytest.raises(AssertionError, match="not close"):
        guards.embeds_each_image_by_itself(toy(embedding=lambda pooled: pooled - pooled.mean(dim=0)), BATCH)


def test_loss_that_prefers_a_place_in_the_batch_is_stopped():
    def first_pair_only(loss, outputs, batch):
        return outputs[0].square().sum()

    order = [3, 1, 0, 2]
    guards.ignores_the_order_of_pairs(toy(), BATCH, order)
    with pytest.raises(AssertionError):
        guards.ignores_the_order_of_pairs(toy(loss=first_pair_only), BATCH, order)
