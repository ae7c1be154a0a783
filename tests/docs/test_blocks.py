"""Blocks of README and docs that say so are run, page by page, in a project after a tiny run. CPU, seconds."""

import shutil

import pytest
import torch
from typer.testing import CliRunner

from tests.docs.pages import PAGES, blocks
from tests.made import CONF, write_params
from vireid.cli import app

RUNNING = [page for page in PAGES if any(block.runs for block in blocks(page))]
# A person of the embedded data set, whom the pages name, and one of the tiny data set.
PEOPLE = (("0441", "0013"), ("441", "13"))


@pytest.fixture
def project(tmp_path, monkeypatch, dataset, images_file, model_folder):
    """A project after a run on the tiny data set, with what the pages call the pictures of the user."""
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copytree(model_folder, tmp_path / "artifacts" / "model")
    shutil.copy(images_file, tmp_path / "artifacts")
    shutil.copytree(dataset, tmp_path / "data")
    write_params(tmp_path / "params.yaml", "data")
    for word, camid in (("rgb", 1), ("ir", 3)):
        for source in sorted((dataset / f"cam{camid}").glob("*/0001.jpg")):
            target = tmp_path / "photos" / word / source.parent.name / f"c{camid}_0001.jpg"
            target.parent.mkdir(parents=True)
            shutil.copy(source, target)
    for name, camid in (("query.jpg", 3), ("another.jpg", 6), ("a.jpg", 1), ("b.jpg", 3)):
        shutil.copy(dataset / f"cam{camid}" / "0013" / "0001.jpg", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def of_the_tiny_data_set(text):
    for person, tiny in PEOPLE:
        text = text.replace(person, tiny)
    return text


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.name)
def test_blocks_that_say_so_run_one_after_the_other(page, project):
    for block in blocks(page):
        if block.runs and block.language == "python":
            exec(compile(of_the_tiny_data_set(block.text), page.name, "exec"), {})
        elif block.runs:
            assert block.language == "console"
            for program, *arguments in block.commands:
                if program == "vireid":
                    result = CliRunner().invoke(app, [of_the_tiny_data_set(word) for word in arguments])
                    assert result.exit_code == 0, (arguments, result.output)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_compile(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, page.name, "exec")


def test_pages_that_speak_of_what_runs_in_seconds_are_run():
    names = {page.name for page in RUNNING}
    assert {
        "README.md",
        "experiments.md",
        "features.md",
        "python.md",
        "search-and-explain.md",
        "your-data.md",
    } <= names
