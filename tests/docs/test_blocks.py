"""Blocks of README and docs that say so are run, page by page, in a project after a tiny run. CPU, seconds.

tests/pipeline/test_docs.py runs those that need Git and DVC.
"""

import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tests.commands.authors_files import write_authors_files
from tests.docs.pages import ONLY_PARSED, PAGES, RUNS, RUNS_IN_A_PROJECT, blocks, commands_of
from tests.docs.photos import draw_photos
from tests.made import CONF, draw_regdb, write_params
from vireid.cli import app

RUNNING = [page for page in PAGES if any(block.test == RUNS for block in blocks(page))]
# What the pages name of the embedded data set or of the reader's, and what there is in the test.
SMALL = (
    ("0441", "0013"),
    ("441", "13"),
    ("/path/to/RegDB", "regdb"),
    ("vireid synthesize ", "vireid synthesize --train-ids 3 --val-ids 1 --test-ids 2 --workers 1 "),
)
WRITES = ("--output", "--json", "--figures", "--save", "--sheet")


@pytest.fixture
def project(tmp_path, monkeypatch, dataset, images_file, model_folder, evaluation_file):
    """A project after a run on the tiny data set, with what the pages call the pictures and files of the user."""
    shutil.copytree(CONF, tmp_path / "conf")
    shutil.copytree(model_folder, tmp_path / "artifacts" / "model")
    shutil.copy(images_file, tmp_path / "artifacts")
    shutil.copytree(dataset, tmp_path / "data")
    (tmp_path / "results").mkdir()
    shutil.copy(evaluation_file, tmp_path / "results")
    write_params(tmp_path / "params.yaml", "data")
    draw_photos(tmp_path / "photos", dataset)
    for name, camid in (("query.jpg", 3), ("another.jpg", 6), ("a.jpg", 1), ("b.jpg", 3)):
        shutil.copy(dataset / f"cam{camid}" / "0013" / "0001.jpg", tmp_path / name)
    draw_regdb(tmp_path / "regdb")
    write_authors_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield tmp_path
    torch.set_num_threads(threads)


def made_small(text):
    for written, small in SMALL:
        text = text.replace(written, small)
    return text


def run_vireid(line):
    """Run one command of vireid, and see that it writes what it is told to."""
    for program, *arguments in commands_of(made_small(line)):
        if program == "vireid":
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, (line, result.output)
            for option, value in pairwise(arguments):
                assert option not in WRITES or Path(value).exists(), (line, value)


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.name)
def test_blocks_that_say_so_run_one_after_the_other(page, project):
    for block in blocks(page):
        if block.test == RUNS and block.language == "python":
            exec(compile(made_small(block.text), page.name, "exec"), {})
        elif block.test == RUNS:
            assert block.language == "console"
            for line in block.lines:
                run_vireid(line)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_block_says_how_it_is_tested(page):
    for block in blocks(page):
        if block.language == "python":
            assert block.test == RUNS, block.text
        elif block.language == "console":
            kind, _, reason = block.test.partition(": ")
            assert kind in (RUNS, RUNS_IN_A_PROJECT) or (kind == ONLY_PARSED and reason), block.text
        else:
            assert not block.test, block.text
