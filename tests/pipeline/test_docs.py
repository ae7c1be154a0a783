"""Console blocks of README and docs that need Git and DVC, run as a shell reads them, with tiny data. Minutes."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, RUNS_IN_A_PROJECT, blocks
from tests.docs.photos import draw_photos
from tests.made import draw_dataset

pytestmark = pytest.mark.slow

BLOCKS = [(page.name, block) for page in PAGES for block in blocks(page) if block.test == RUNS_IN_A_PROJECT]


@pytest.fixture
def readers(project, tmp_path):
    """The project with an environment in `.venv`, as `make repro` leaves it, and with pictures of a reader.

    The environment is the tests' own, so nothing is installed; its commands run the project's code.
    """
    environment = project.root / ".venv"
    environment.mkdir(exist_ok=True)
    (environment / ".installed").touch()
    if not (environment / "bin").exists():
        (environment / "bin").symlink_to(Path(sys.executable).parent)
    draw_photos(project.root / "photos", draw_dataset(tmp_path / "drawn"))
    path = os.pathsep.join([str(project.root / "src"), str(project.root)])
    return replace(project, environment=project.environment | {"PYTHONPATH": path})


@pytest.mark.parametrize(("page", "block"), BLOCKS, ids=lambda value: value if isinstance(value, str) else "")
def test_block_runs_as_it_stands(page, block, readers):
    # `bash -e` would go on after `wrong && right`; a line may end in a comment.
    readers.run("bash", "-x", "-c", "".join(f"{{ {line}\n}} || exit 1\n" for line in block.lines))
