"""No step uses what torch has no deterministic implementation of on CUDA. CPU, seconds, no GPU."""

import inspect
import re
from copy import deepcopy

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.methods.batches import losses_of, paired_batch, weighted_sum
from tests.methods.cases import CASES
from vireid.methods import build_method

# What torch's documentation lists as an error under deterministic algorithms, and the operations behind it.
# `NLLLoss` is only meant for images, `nll_loss2d`; that of vectors is deterministic.
NOT_DETERMINISTIC = {
    "torch.nn.AvgPool3d": {"avg_pool3d_backward"},
    "torch.nn.AdaptiveAvgPool2d": {"_adaptive_avg_pool2d_backward"},
    "torch.nn.AdaptiveAvgPool3d": {"_adaptive_avg_pool3d_backward"},
    "torch.nn.AdaptiveMaxPool2d": {"adaptive_max_pool2d_backward"},
    "torch.nn.FractionalMaxPool2d": {"fractional_max_pool2d_backward"},
    "torch.nn.FractionalMaxPool3d": {"fractional_max_pool3d_backward"},
    "torch.nn.MaxUnpool1d": {"max_unpool2d"},
    "torch.nn.MaxUnpool2d": {"max_unpool2d"},
    "torch.nn.MaxUnpool3d": {"max_unpool3d"},
    "torch.nn.functional.interpolate": {
        "upsample_linear1d_backward",
        "upsample_bilinear2d_backward",
        "upsample_bicubic2d_backward",
        "upsample_trilinear3d_backward",
    },
    "torch.nn.ReflectionPad1d": {"reflection_pad1d_backward"},
    "torch.nn.ReflectionPad2d": {"reflection_pad2d_backward"},
    "torch.nn.ReflectionPad3d": {"reflection_pad3d_backward"},
    "torch.nn.NLLLoss": {"nll_loss2d_forward"},
    "torch.nn.CTCLoss": {"_ctc_loss_backward"},
    "torch.nn.EmbeddingBag": {"_embedding_bag"},
    "torch.Tensor.put_": {"put_", "put"},
    "torch.histc": {"histc"},
    "torch.bincount": {"bincount"},
    "torch.median": {"median"},
    "torch.nn.functional.grid_sample": {"grid_sampler_2d_backward", "grid_sampler_3d_backward"},
    "torch.Tensor.scatter_reduce": {"scatter_reduce"},
    "torch.Tensor.resize_": {"resize_"},
}

# On CUDA `interpolate` computes it by other operations where deterministic ones are asked for.
ON_REQUEST = {"upsample_bilinear2d_backward"}


class Recorder(TorchDispatchMode):
    """Notes the name of every operation, those of the backward pass included."""

    def __init__(self):
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        self.names.add(function.overloadpacket.__name__)
        return function(*arguments, **(keywords or {}))


def test_list_is_that_of_this_torch():
    text = torch.use_deterministic_algorithms.__doc__
    listed = text[text.index("will throw a\n    :class:`RuntimeError` when ``mode=True``") :]
    names = re.findall(r"^ +\* :(?:class|func):`([\w.]+)`", listed, flags=re.MULTILINE)
    assert set(names) == set(NOT_DETERMINISTIC)


def test_recorder_sees_the_backward_pass():
    with Recorder() as recorder:
        maps = torch.randn(1, 2, 5, 4, requires_grad=True)
        torch.nn.functional.adaptive_avg_pool2d(maps, (2, 1)).sum().backward()
    assert recorder.names & NOT_DETERMINISTIC["torch.nn.AdaptiveAvgPool2d"]


def test_torch_enlarges_maps_deterministically_where_it_is_asked_to():
    source = inspect.getsource(torch.nn.functional.interpolate)
    assert "are_deterministic_algorithms_enabled()" in source[source.index('mode == "bilinear"') :]


def faults_of(method):
    """What a step with its gradient uses that does not repeat on CUDA."""
    batch = paired_batch([0, 1, 2, 3], *(method.takes_only or (32, 16)))
    with Recorder() as recorder:
        weighted_sum(method, losses_of(method, batch)).backward()
    assert "convolution_backward" in recorder.names
    return recorder.names & set.union(*NOT_DETERMINISTIC.values()) - ON_REQUEST


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_steps_have_deterministic_operations_only(case):
    assert faults_of(build_method(*deepcopy(case))) == set()


@pytest.mark.parametrize("kind", ["centre", "hti"])
def test_steps_of_hpilns_other_losses_have_deterministic_operations_only(kind):
    name, pids, model, loss = deepcopy(CASES["hpiln-demo"])
    assert faults_of(build_method(name, pids, model, loss | {"kind": kind})) == set()
