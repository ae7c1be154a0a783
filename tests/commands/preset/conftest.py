"""A small project with parameters and presets."""

import shutil

import pytest

from tests.commands.preset.made import preset
from tests.made import ROOT


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A copy of params.yaml brought to the schedule `scratch` of FPRnet; not to be changed."""
    path = tmp_path_factory.mktemp("start") / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    choices = ("dataset=synthetic", "method=fprnet", "schedule=scratch", "superresolve=default")
    assert preset(*choices, "--params", str(path), "--conf", str(ROOT / "conf")).exit_code == 0
    return path


@pytest.fixture
def project(start, tmp_path, monkeypatch):
    """A copy of `start` and of conf/ as the working directory."""
    shutil.copy(start, tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path
