"""What `vireid preset` refuses, and that parameters stay as they were. CPU, seconds."""

import pytest

from tests.commands.preset.made import CHOICES, preset
from vireid.layers import GROUPS


def test_recipe_that_has_no_preset_is_named_with_the_known_ones(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("recipe: fprnet", "recipe: mine"))
    result = preset("schedule=paper")
    assert result.exit_code == 1
    assert "mine" in result.stderr
    assert all(name in result.stderr for name in CHOICES["method"])


@pytest.mark.parametrize("choice", ["backbone=resnet50", "method", "=fprnet", "methods=fprnet", ""])
def test_unknown_group_is_refused_with_the_known_ones(project, choice):
    result = preset(choice)
    assert result.exit_code == 1
    assert all(group in result.stderr for group in GROUPS)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", ["nothing", "", "../method/fprnet"])
def test_unknown_name_is_refused_with_the_known_ones(project, group, name):
    before = (project / "params.yaml").read_bytes()
    result = preset("superresolve=off", f"{group}={name}")
    assert result.exit_code == 1
    assert all(known in result.stderr for known in CHOICES[group])
    assert (project / "params.yaml").read_bytes() == before


def broken(project, old, new):
    path = project / "conf" / "method" / "baseline.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("epochs: 40", "epochs: many", "train.epochs"),
        ("epochs: 40", "epoch: 40", "epoch"),
        ("share_from: 1", "share_from: 9", "share_from"),
        ("margin: 0.3", "margin_: 0.3", "margin_"),
    ],
)
def test_invalid_result_leaves_the_parameters_untouched(project, old, new, named):
    broken(project, old, new)
    files = sorted(path.name for path in project.iterdir())
    before = (project / "params.yaml").read_bytes()
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert (project / "params.yaml").read_bytes() == before
    assert sorted(path.name for path in project.iterdir()) == files


def test_parameters_that_are_already_wrong_are_refused(project):
    path = project / "params.yaml"
    path.write_text(path.read_text() + "typo: 1\n")
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert "typo" in result.stderr


def test_missing_parameters_are_refused(project):
    (project / "params.yaml").unlink()
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert "missing" in result.stderr
    assert not (project / "params.yaml").exists()
