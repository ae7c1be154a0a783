"""A new method as a newcomer adds it, in a copy of the project: one file, one preset, nothing edited. Minutes."""

import json
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.pipeline.conftest import shrink, stages_run

pytestmark = pytest.mark.slow

METHOD, PRESET = (Path(__file__).parent / "toy" / name for name in ("method.py", "toy.yaml"))


@pytest.fixture
def newcomer(project):
    """The project with the toy in it; its commands run the project's own code, as an editable install does."""
    added = {METHOD: "src/vireid/methods/toy/method.py", PRESET: "conf/method/toy.yaml"}
    for source, target in added.items():
        (project.root / target).parent.mkdir(exist_ok=True)
        shutil.copy(source, project.root / target)
    path = os.pathsep.join([str(project.root / "src"), str(project.root)])
    yield replace(project, environment=project.environment | {"PYTHONPATH": path})
    shutil.rmtree(project.root / "src/vireid/methods/toy")
    (project.root / "conf/method/toy.yaml").unlink()


def test_toy_is_short():
    assert len(METHOD.read_text().splitlines()) < 60
    assert len(PRESET.read_text().splitlines()) < 15


def test_method_in_one_file_with_one_preset_trains_extracts_and_evaluates(newcomer):
    changed = newcomer.run("git", "status", "--porcelain").split()
    assert changed == ["??", "conf/method/toy.yaml", "??", "src/vireid/methods/toy/"]
    assert "method: fprnet -> toy" in newcomer.run("vireid", "preset", "method=toy")
    shrink(newcomer.root / "params.yaml")
    assert stages_run(newcomer.run("dvc", "repro")) == ["train", "extract", "evaluate", "figures"]
    model = json.loads((newcomer.root / "artifacts/model/model.json").read_text())
    assert (model["method"], model["model"]) == ("toy", {"share_from": 1})
    scores = json.loads((newcomer.root / "results/metrics.json").read_text())["synthetic"]
    assert 0 < scores["all_search"]["single_shot"]["mAP"] <= 100
    assert stages_run(newcomer.run("dvc", "repro")) == []


def test_contract_and_pipeline_tests_take_the_toy_up_by_themselves(newcomer):
    files = ("tests/methods/test_contract.py", "tests/pipeline/test_dvc_yaml.py")
    printed = newcomer.run(
        sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", "-vv", "-k", "toy", *files
    )
    passed = {line.split("::")[1].split("[")[0] for line in printed.splitlines() if "PASSED" in line}
    for name in (
        "test_embedders_can_be_exported_with_a_free_batch_size",
        "test_step_has_no_shape_that_depends_on_values_and_waits_for_no_device",
        "test_thirty_steps_on_one_batch_lower_the_loss_clearly",
        "test_stage_depends_on_all_the_code_it_imports",
        "test_no_method_reaches_the_room_of_another_one",
    ):
        assert name in passed
