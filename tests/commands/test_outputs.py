"""Output paths of commands: what would be lost is refused before any work. CPU, seconds."""

import pytest
from typer.testing import CliRunner

from tests.made import tree
from tests.retrieval.made import random_features
from vireid.cli import app
from vireid.commands.outputs import check_output_file, check_output_folder
from vireid.retrieval.features import write_features
from vireid.support.errors import UserError


@pytest.fixture
def place(tmp_path):
    """A folder with a thesis and a file in it."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "cmc.png").write_bytes(b"old")
    (tmp_path / "file").write_text("text")
    return tmp_path


def test_new_and_earlier_outputs_are_taken(place):
    for name in ("new.json", "deep/new.json", "file"):
        check_output_file("--json", place / name, inputs=[place / "features.h5"])
    (place / "figures" / ".DS_Store").touch()
    (place / "figures" / "Thumbs.db").touch()
    for name in ("new", "deep/new", "figures"):
        check_output_folder("--figures", place / name, ".png")


@pytest.mark.parametrize(
    ("name", "found"), [("folder", "a folder"), ("file/x.json", "is a file"), ("in.h5", "what the command reads")]
)
def test_file_that_must_not_be_written_is_refused(place, name, found):
    with pytest.raises(UserError, match="cannot be written") as error:
        check_output_file("--json", place / name, inputs=[place / "in.h5"])
    assert found in error.value.found


@pytest.mark.parametrize(
    ("name", "found"), [("folder", "thesis.txt"), ("file", "a file"), ("file/x", "is a file")]
)
def test_folder_that_must_not_be_replaced_is_refused(place, name, found):
    with pytest.raises(UserError, match="cannot be written") as error:
        check_output_folder("--figures", place / name, ".png")
    assert found in error.value.found


@pytest.mark.parametrize(
    "options", [("--json", "folder"), ("--figures", "folder"), ("--figures", "file"), ("--json", "features.h5")]
)
def test_evaluate_replaces_nothing_of_the_users(place, monkeypatch, options):
    monkeypatch.chdir(place)
    features = random_features(noise=0.5)
    write_features(place / "features.h5", features.info, features.visible, features.infrared)
    before = tree(place)
    result = CliRunner().invoke(app, ["evaluate", "features.h5", *options])
    assert result.exit_code == 1
    assert "cannot be written" in result.stderr
    assert tree(place) == before
