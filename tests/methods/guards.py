"""What every method stands: none of it needs a GPU, and each guard is shown to fail in `test_guards.py`."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tests.lockstep import in_lockstep
from tests.methods.batches import embed_all, losses_of, weighted_sum
from tests.methods.determinism import NOT_DETERMINISTIC, ON_REQUEST, Recorder
from tests.methods.shares import agree, frozen, gradients_of, loss_of, mean, share_of, whole_batch
from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.export.onnx_graph import IMAGES, INFRARED, to_onnx
from vireid.losses.gather import Gather, alone
from vireid.methods.base import Batch, Embedder, Method
from vireid.training.embedding import embed_pixels


def runs_on_fake_cuda(method: Method, batch: Batch) -> None:
    """A step, and what validation, extraction and search do, on `cuda` without its contents: no GPU is needed.

    Shapes that depend on values (`nonzero`, boolean indexing), waiting for the device (`.item()`, `if tensor`) and
    tensors left on the CPU are errors here.
    """
    with FakeTensorMode() as mode:
        state = {
            name: mode.from_tensor(value).to("cuda")
            for name, value in (*method.named_parameters(), *method.named_buffers())
        }
        images, labels = (mode.from_tensor(value).to("cuda") for value in (batch.images, batch.labels))
        step = torch.func.functional_call(method, state, (Batch(images, labels, batch.visible), alone))
        results = {f"loss {name}": value for name, value in step.losses.items()}
        results |= {f"measure {name}": value for name, value in step.measures.items()}
        method.eval()
        for modality in Modality:
            embedder = _OfOneSpectrum(method, modality)
            of_embedder = {f"model.{name}": value for name, value in state.items()}
            pixels = torch.empty(len(labels), *images.shape[2:], 3, dtype=torch.uint8, device="cuda")
            embeddings = torch.func.functional_call(embedder, of_embedder, (pixels,))
            results |= {f"embedding {name}": value for name, value in embeddings.items()}
        method.train()
    assert {name: str(value.device) for name, value in results.items()} == dict.fromkeys(results, "cuda:0")


def learns_on_meta(method: Method, batch: Batch) -> None:
    """A step with its gradient without the contents of any tensor, which fake CUDA has no driver for."""
    method = deepcopy(method).to("meta")
    batch = Batch(batch.images.to("meta"), batch.labels.to("meta"), batch.visible)
    weighted_sum(method, losses_of(method, batch)).backward()


def uses_what_repeats_on_cuda(method: Method, batch: Batch) -> None:
    """A step with its gradient calls no operation that torch has no deterministic implementation of on CUDA."""
    with Recorder() as recorder:
        weighted_sum(method, losses_of(method, batch)).backward()
    assert "convolution_backward" in recorder.names
    assert recorder.names & set.union(*NOT_DETERMINISTIC.values()) - ON_REQUEST == set()


def has_the_gradient_of_one_process(method: Method, identities: int) -> None:
    """Two and three processes that share a batch have the gradient of one on the whole of it, to 1e-9.

    Args:
        method: It is left in float64 and in eval mode.
        identities: In the batch of two processes; that of three has three.
    """
    method = frozen(method)
    for processes, count in ((2, identities), (3, 3)):
        batch = whole_batch(count, *(method.takes_only or (32, 16)))

        def loss(rank: int, everyone: Gather, batch: Batch = batch, processes: int = processes) -> Tensor:
            return loss_of(method, share_of(batch, rank, processes), everyone)

        shared = mean(in_lockstep(processes, loss))
        whole = loss_of(method, batch, alone)
        assert shared.item() == pytest.approx(whole.item(), rel=1e-9)
        agree(gradients_of(shared, method), gradients_of(whole, method))


def exports_with_a_free_batch_size(model: Embedder, height: int, width: int) -> None:
    """The ONNX graph gives the model's embeddings of both spectra on batches of any size, to 1e-4."""
    graph = to_onnx(model, height, width).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    pixels = torch.randint(256, (5, height, width, 3), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    names = [output.name for output in session.get_outputs()]
    assert names == list(model.embedding_dims)
    for modality in Modality:
        for count in (1, 3, 5):
            inputs = {IMAGES: pixels[:count].numpy(), INFRARED: np.array(modality is Modality.INFRARED)}
            with torch.inference_mode():
                expected = model.embed(normalise(pixels[:count]), modality)
            for name, values in zip(names, session.run(names, inputs), strict=True):
                torch.testing.assert_close(torch.from_numpy(values), expected[name], rtol=0, atol=1e-4)


class _OfOneSpectrum(nn.Module):
    """An embedder of one spectrum from pixels, with their mirror images."""

    def __init__(self, model: Embedder, modality: Modality):
        super().__init__()
        self.model, self.modality = model, modality

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        return embed_pixels(self.model, pixels, self.modality, flip=True)


def keeps_what_requires_grad(method: Method, epochs: int) -> None:
    """No epoch switches a parameter's gradient on or off, which processes that train together could not follow."""
    before = {name: parameter.requires_grad for name, parameter in method.named_parameters()}
    history = [{"loss/total": 1.0} | {f"loss/{name}": 1.0 for name in method.loss_weights}] * epochs
    for epoch in range(epochs):
        method.on_epoch(epoch, history[:epoch])
        method.lr_factors(epoch)
        after = {name: parameter.requires_grad for name, parameter in method.named_parameters()}
        assert after == before, f"changed in epoch {epoch}"


def embeds_each_image_by_itself(model: Embedder, batch: Batch) -> None:
    """In eval mode an embedding is the same whatever else is in the batch."""
    model.eval()
    with torch.inference_mode():
        together = embed_all(model, batch)
        for row in range(len(batch.images)):
            visible = int(row < batch.visible)
            single = embed_all(model, Batch(batch.images[row, None], batch.labels[row, None], visible))
            for name, values in single.items():
                torch.testing.assert_close(values[0], together[name][row], rtol=1e-3, atol=1e-4)


def ignores_the_order_of_pairs(method: Method, batch: Batch, order: list[int]) -> None:
    """Losses are the same with the visible and the infrared images permuted alike."""
    rows = torch.tensor([*order, *(batch.visible + place for place in order)])
    permuted = replace(batch, images=batch.images[rows], labels=batch.labels[rows])
    torch.manual_seed(0)  # for what is drawn once for a batch
    first = losses_of(method, batch)
    torch.manual_seed(0)
    second = losses_of(method, permuted)
    for name, loss in first.items():
        assert second[name].item() == pytest.approx(loss.item(), rel=1e-3, abs=1e-4)
