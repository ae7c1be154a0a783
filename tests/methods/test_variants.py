"""What the papers' tables switch on and off: on a GPU and in several processes, as the presets. CPU, a minute."""

from copy import deepcopy

import pytest
import torch

from tests.experiments.made import planned
from tests.made import CONF, tiny_of
from tests.methods import guards
from tests.methods.batches import paired_batch
from tests.methods.cases import CASES, NUM_PIDS, Case, built_alike
from vireid.experiments.grid import grids
from vireid.methods import build_method

pytestmark = pytest.mark.slow
# Their rows put the same parts in other places, or the same losses on other networks.
SAME_PARTS = ("fprnet/table4", "fprnet/table4_trained", "fprnet/table6_trained", "hpiln/table4")


def parts_of(case: Case) -> tuple[str, str, str]:
    """What is built, whatever its numbers are; a weight of zero is a term that is off."""
    method, _, model, loss = built_alike(case)
    kinds = {key: value > 0 if type(value) in (int, float) else value for key, value in loss.items()}
    return (
        method,
        repr({key: value for key, value in model.items() if key != "trunk"}),
        repr(sorted(kinds.items())),
    )


def variants() -> dict[str, Case]:
    """Rows of all tables that build something which no preset does, each once."""
    built, cases = {parts_of(case) for case in CASES.values()}, {}
    for table in grids(CONF):
        rows = {} if table in SAME_PARTS else planned(table).settings
        for row, settings in rows.items():
            tiny = tiny_of(settings["method"])
            case = (settings["method"], NUM_PIDS, tiny(settings["model"]), settings["loss"]) if tiny else None
            if case and parts_of(case) not in built:
                built.add(parts_of(case))
                cases[f"{table}/{row}"] = case
    return cases


VARIANTS = variants()


def test_rows_that_only_the_tables_have_are_among_them():
    assert {f"hpiln/fig7/{loss}" for loss in ("identity", "centre", "ht", "hti", "hp")} <= set(VARIANTS)
    assert {f"mutual_prediction/readings/{name}" for name in ("ema", "alternating", "symmetric")} <= set(VARIANTS)
    assert set(SAME_PARTS) <= set(grids(CONF))


@pytest.fixture(params=VARIANTS.values(), ids=VARIANTS)
def method(request):
    torch.manual_seed(0)
    return build_method(*deepcopy(request.param))


@pytest.fixture
def batch(method):
    return paired_batch([2, 0, 1, 3], *(method.takes_only or (32, 16)))


def test_step_has_no_shape_that_depends_on_values_and_waits_for_no_device(method, batch):
    guards.runs_on_fake_cuda(method, batch)


def test_gradient_needs_no_contents_of_a_tensor(method, batch):
    guards.learns_on_meta(method, batch)


def test_steps_have_deterministic_operations_only(method, batch):
    guards.uses_what_repeats_on_cuda(method, batch)


def test_two_and_three_processes_have_the_gradient_of_one(method):
    guards.has_the_gradient_of_one_process(method, NUM_PIDS)
