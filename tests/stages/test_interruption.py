"""Ctrl-C in every long stage and command: one line, code 130, and nothing half-written. CPU, seconds."""

import shutil

import pytest
from typer.testing import CliRunner

from tests.made import tree
from vireid.cli import app
from vireid.support.progress import Bar


@pytest.fixture
def interrupted(monkeypatch):
    """Interrupt whatever first counts something as done."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Bar, "advance", interrupt)


def check(result, before, folder):
    assert result.exit_code == 130, result.output
    assert result.stderr.splitlines()[-1].startswith("interrupted")
    assert "Traceback" not in result.output
    kept = {name: content for name, content in tree(folder).items() if not name.startswith(".ckpt/")}
    assert kept == before


@pytest.mark.parametrize("name", ["ingest", "superresolve", "train", "extract"])
def test_interrupted_stage_leaves_what_was_there(stage, project, model_folder, interrupted, name):
    shutil.copytree(model_folder, project / "artifacts" / "model")
    before = tree(project)
    check(stage(name), before, project)


def test_interrupted_search_writes_neither_gallery_nor_sheet(project, dataset, model_folder, interrupted):
    before = tree(project)
    query = ("--query-modality", "infrared", "--gallery-modality", "visible", "--save", "gallery.h5")
    paths = (dataset / "cam3/0013/0001.jpg", "--gallery", dataset / "cam1", "--model", model_folder)
    check(CliRunner().invoke(app, ["search", *map(str, paths), *query, "--device", "cpu"]), before, project)


def test_interrupted_drawing_leaves_no_data_set(workplace, interrupted):
    check(CliRunner().invoke(app, ["synthesize", "data", "--train-ids", "4", "--workers", "1"]), {}, workplace)
