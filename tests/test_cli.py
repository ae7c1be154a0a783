"""The command as a whole: its version, and what it says outside of the project's root. CPU, seconds."""

from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from vireid.cli import app


def test_version_is_one_line_with_those_of_the_libraries_that_decide_results():
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout == f"vireid {version('vireid')} (torch {version('torch')}, dvc {version('dvc')})\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["experiments"],
        ["experiments", "fprnet/table5"],
        ["table", "fprnet/table5"],
        ["preset", "method=tffn"],
        ["yardsticks"],
        ["evaluate", "mine.h5"],
        ["explain", "--pid", "441"],
        ["explain", "--visible", "a.jpg"],
        ["search", "a.jpg", "--gallery", "photos", "--query-modality", "visible"],
    ],
)
def test_command_in_a_subfolder_says_where_to_run_it(tmp_path, monkeypatch, arguments):
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "sub" / "photos").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "sub")
    (tmp_path / "sub" / "a.jpg").touch()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "run in the root of the project" in result.stderr
    assert result.stdout == ""
