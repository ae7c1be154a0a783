"""`vireid new-method`: what it writes is found, short and valid, and nothing is overwritten. CPU, seconds."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.made import ROOT, tree
from vireid import methods
from vireid.cli import app
from vireid.layers import compose


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the places that a method is written to."""
    for name in ("src/vireid/methods", "conf/method", "tests/methods"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("base.yaml", "schedule", "dataset"):
        (tmp_path / "conf" / name).symlink_to(ROOT / "conf" / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(methods, "ROOMS", tmp_path / "src/vireid/methods")
    return tmp_path


def new_method(name):
    return CliRunner().invoke(app, ["new-method", name])


def test_method_preset_and_test_are_written_under_the_name(project):
    result = new_method("two_heads")
    assert result.exit_code == 0, result.output
    written = [line.split()[1] for line in result.stdout.splitlines() if line.startswith("written")]
    assert written == [
        "src/vireid/methods/two_heads/method.py",
        "conf/method/two_heads.yaml",
        "tests/methods/two_heads/test_method.py",
    ]
    assert methods.method_names() == ["two_heads"]
    source = Path(written[0]).read_text()
    assert "class TwoHeads(Method[Tensor])" in source
    assert not any("newcomer" in Path(path).read_text().lower() for path in written)
    assert len(source.splitlines()) < 60
    assert len(Path(written[1]).read_text().splitlines()) < 15


def test_preset_composes_under_every_schedule(project):
    new_method("mine")
    for schedule, trunk in (("smoke", "resnet10_half"), ("paper", "resnet50")):
        chosen = {"schedule": schedule, "dataset": "synthetic", "method": "mine"}
        values = compose(Path("conf"), chosen).values
        assert (values["method"], values["model"]["trunk"]["name"]) == ("mine", trunk)


@pytest.mark.parametrize("name", ["", "Mine", "2d", "my-method", "../mine", "class", "a b"])
def test_what_is_no_name_is_refused(project, name):
    result = new_method(name)
    assert result.exit_code == 1
    assert "not a name for a method" in result.stderr


@pytest.mark.parametrize(
    "path",
    [
        "conf/method/mine.yaml",
        "src/vireid/methods/mine/method.py",
        "tests/methods/mine/test_method.py",
        "src/vireid/methods/mine.py",
        "tests/methods/mine.py",
    ],
)
def test_nothing_is_overwritten_or_written_beside_it(project, path):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("mine\n")
    before = tree(project)
    result = new_method("mine")
    assert result.exit_code == 1
    assert path in result.stderr
    assert tree(project) == before


def test_another_folder_than_the_root_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = new_method("mine")
    assert result.exit_code == 1
    assert "not the root of the project" in result.stderr
    assert list(tmp_path.iterdir()) == []
