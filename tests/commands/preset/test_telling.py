"""What `vireid preset` says: the list, what would change, and which file decides what. CPU, seconds."""

import re

import pytest
from typer.testing import CliRunner

from tests.commands.preset.made import CHOICES, SINGLE, preset
from tests.made import ROOT, read_yaml
from vireid.cli import app
from vireid.layers import GROUPS, flat
from vireid.params import load_params


def test_presets_are_listed_with_a_line_each_and_those_in_force_marked(project):
    preset("method=fprnet_release", "superresolve=off")
    before = (project / "params.yaml").read_bytes()
    result = preset()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line for line in lines if line in GROUPS] == list(GROUPS)
    listed = {line[4:].split()[0] for line in lines if line.startswith("  ")}
    assert listed == {name for names in CHOICES.values() for name in names}
    marked = [line.split()[1] for line in lines if line.startswith("  *")]
    assert marked == ["scratch", "synthetic", "fprnet_release", "off"]
    assert any("RegDB (Nguyen et al., Sensors 2017)." in line for line in lines)
    assert (project / "params.yaml").read_bytes() == before


def test_superresolution_changed_by_hand_is_marked_as_no_preset(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("dropout: 0.0", "dropout: 0.25"))
    assert sum(line.startswith("  *") for line in preset().stdout.splitlines()) == 3


@pytest.mark.parametrize(("group", "name"), SINGLE)
def test_preset_begins_with_one_line_that_says_what_it_is(group, name):
    first = (ROOT / "conf" / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


def test_outside_the_project_nothing_is_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = preset()
    assert result.exit_code == 1
    assert "root of the project" in result.stderr


def test_dry_prints_what_would_change_and_writes_nothing(project):
    before = (project / "params.yaml").read_bytes()
    told = preset("method=tffn", "schedule=paper", "--dry")
    assert told.exit_code == 0
    assert (project / "params.yaml").read_bytes() == before
    assert preset("method=tffn", "schedule=paper").stdout.splitlines() == told.stdout.splitlines()[:-1]


def test_each_change_says_which_file_decides_it(project):
    lines = preset("method=tffn", "schedule=paper").stdout.splitlines()
    for line in (
        "train.epochs: 50 -> 70  (conf/method/tffn.yaml, schedules.paper)",
        "train.milestones: [30] -> [30, 50]  (conf/method/tffn.yaml)",
        "train.schedule: cosine -> step  (conf/schedule/paper.yaml)",
        "loss.lambda1: 1.0 -> (none)  (not a key of this method)",
        "recipe: fprnet -> tffn  (method=tffn)",
    ):
        assert line in lines


def explained(*choices):
    """Key -> the cells behind it."""
    result = preset("--explain", *choices)
    assert result.exit_code == 0, result.output
    rows = [line.strip().split("  ", 1) for line in result.stdout.splitlines()[4:] if "  " in line.strip()]
    return {key: re.split(r"\s{2,}", rest.strip()) for key, rest in rows}


def test_explain_names_the_file_of_every_value(project):
    preset("method=tffn", "schedule=quick", "superresolve=paper")
    cells = explained()
    assert cells.keys() == flat(read_yaml(project / "params.yaml")).keys()
    assert cells["seed"] == ["conf/base.yaml", "0"]
    assert cells["train.steps_per_epoch"] == ["conf/schedule/demo.yaml", "40"]
    assert cells["train.num_pids"] == ["conf/method/tffn.yaml, schedules.quick", "4"]
    assert cells["train.optimizer"] == ["conf/method/tffn.yaml, schedules.scratch", "adamw"]
    assert cells["schedule"] == ["conf/schedule/quick.yaml", "quick"]
    assert cells["superresolve.dropout"] == ["conf/superresolve/paper.yaml", "0.5"]
    assert cells["model.heads"] == ["conf/method/tffn.yaml", "4"]
    assert cells["recipe"] == ["method=tffn", "tffn"]


def test_explain_names_what_was_edited_by_hand_and_what_the_layers_have(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.07").replace("dropout: 0.0", "dropout: 0.25"))
    cells = explained()
    assert cells["train.lr"] == ["params.yaml; conf/base.yaml has 0.1", "0.07"]
    assert cells["superresolve.dropout"] == ["params.yaml; conf/base.yaml has 0.0", "0.25"]


def test_explain_of_a_choice_says_it_of_the_parameters_with_it(project):
    assert explained("method=baseline", "--dry")["model.pooling"] == [
        "conf/method/baseline.yaml, schedules.scratch",
        "gem",
    ]
    assert load_params(project / "params.yaml").method == "fprnet"


def test_help_names_every_group():
    text = CliRunner().invoke(app, ["preset", "--help"]).stdout
    assert all(group in text for group in CHOICES)
