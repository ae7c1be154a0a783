"""No step uses what torch has no deterministic implementation of on CUDA. CPU, seconds, no GPU."""

import inspect
import re
from copy import deepcopy

import pytest
import torch

from tests.methods import guards
from tests.methods.batches import paired_batch
from tests.methods.cases import CASES
from tests.methods.determinism import NOT_DETERMINISTIC, Recorder
from vireid.methods import build_method


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


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_steps_have_deterministic_operations_only(case):
    method = build_method(*deepcopy(case))
    guards.uses_what_repeats_on_cuda(method, paired_batch([0, 1, 2, 3], *(method.takes_only or (32, 16))))
