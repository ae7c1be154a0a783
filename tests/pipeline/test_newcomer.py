"""A new method as a newcomer begins it, in a copy of the project: nothing that is there is edited. Minutes."""

import json
import os
import re
import sys
from dataclasses import replace
from functools import partial

import pytest

from tests.pipeline.conftest import stages_run

pytestmark = pytest.mark.slow

TRUNK = {
    "trunk": {"name": "resnet10_half", "pretrained": False, "last_stride": 1, "share_from": 1, "lr_factor": 1.0}
}


@pytest.fixture
def newcomer(project):
    """The project with a new method in it; commands run the project's own code, as installed there."""
    path = os.pathsep.join([str(project.root / "src"), str(project.root)])
    added = replace(project, environment=project.environment | {"PYTHONPATH": path})
    added.run("vireid", "new-method", "toy")
    return added


def test_method_in_one_file_with_one_preset_trains_extracts_and_evaluates(newcomer):
    changed = newcomer.run("git", "status", "--porcelain").split()
    assert changed == ["??", "conf/method/toy.yaml", "??", "src/vireid/methods/toy/", "??", "tests/methods/toy/"]
    assert "method: fprnet -> toy" in newcomer.run("vireid", "preset", "method=toy")
    assert stages_run(newcomer.run("dvc", "repro")) == ["check", "train", "extract", "evaluate", "figures"]
    model = json.loads((newcomer.root / "artifacts/model/model.json").read_text())
    assert (model["method"], model["model"]) == ("toy", TRUNK)
    scores = json.loads((newcomer.root / "results/metrics.json").read_text())["synthetic"]
    assert 0 < scores["all_search"]["single_shot"]["mAP"] <= 100
    assert stages_run(newcomer.run("dvc", "repro")) == []


def test_contract_and_pipeline_tests_take_the_toy_up_by_themselves(newcomer):
    pytest_of = partial(newcomer.run, sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-vv")
    contract = (
        "tests/methods/test_contract.py",
        "tests/methods/test_guards.py",
        "tests/pipeline/test_dvc_yaml.py",
    )
    printed = pytest_of("tests/methods/toy") + pytest_of("-k", "toy", *contract)
    passed = set(re.findall(r"::(\w+)\S* PASSED", printed))
    for name in (
        "test_onnx_graph_gives_the_embeddings_of_any_number_of_images",
        "test_step_has_no_shape_that_depends_on_values_and_waits_for_no_device",
        "test_identity_loss_starts_at_the_logarithm_of_the_number_of_identities",
        "test_thirty_steps_on_one_batch_lower_the_loss_clearly",
        "test_stage_depends_on_all_the_code_it_imports",
        "test_no_method_reaches_the_room_of_another_one",
    ):
        assert name in passed
