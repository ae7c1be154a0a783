"""What the environment and the terminal bring into a command. CPU, seconds."""

import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from tests.made import ROOT
from vireid.support.errors import reports_errors

LEFT_OVER = {"RANK": "", "LOCAL_RANK": "3", "SLURM_PROCID": "x", "JSM_NAMESPACE_RANK": "1", "LT_DEVICES": "2"}


def invoke(body):
    app = typer.Typer()
    app.command()(reports_errors(body))
    return CliRunner().invoke(app, [])


@pytest.mark.parametrize("name", LEFT_OVER)
def test_command_does_not_see_what_launchers_have_left(monkeypatch, name):
    monkeypatch.setenv(name, LEFT_OVER[name])
    assert invoke(lambda: typer.echo(name in os.environ)).stdout == "False\n"


def test_command_never_asks_for_windows(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "nonsense")
    assert invoke(lambda: typer.echo(os.environ["MPLBACKEND"])).stdout == "agg\n"


@pytest.mark.parametrize(
    ("encoding", "printed"), [("ascii", rb"\xe9\u4eba\udcff"), ("utf-8", "é人".encode() + rb"\udcff")]
)
def test_characters_that_the_terminal_lacks_are_printed_as_escapes(encoding, printed):
    program = """
import sys, typer
from vireid.support.errors import UserError, reports_errors

@reports_errors
def command():
    print("\\xe9\\u4eba\\udcff")
    raise UserError("\\xe9\\u4eba\\udcff", "x", expected=1, found=2, remedy="y")

typer.run(command)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, env=environment)
    assert done.returncode == 1
    assert done.stdout == printed + b"\n"
    assert done.stderr.startswith(b"error: ")
