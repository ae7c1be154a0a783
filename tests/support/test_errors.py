"""How a command ends on what a user can mend: a message, exit code 1, no traceback. CPU, instant."""

import errno
import os
import re
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from vireid.support.errors import UserError, reports_errors


def run(error):
    app = typer.Typer()

    @app.command()
    @reports_errors
    def command(text: str = "x") -> None:
        """Fail."""
        if error is not None:
            raise error
        typer.echo(text)

    return CliRunner().invoke(app, ["--text", "fine"])


def test_name_that_the_output_cannot_hold_is_escaped():
    code = """
import typer
from vireid.support.errors import reports_errors
from vireid.support.tables import Column, print_table

@reports_errors
def command():
    typer.echo(b"caf\\xe9.jpg".decode(errors="surrogateescape") + " \\u4e2d")
    print_table("\\u4e2d", [Column("n", number=True)], [["1.00"], ["\\u2013"]])

typer.run(command)
"""
    for encoding in ("latin-1", "utf-8"):
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, env=os.environ | {"PYTHONIOENCODING": encoding}
        )
        assert result.returncode == 0, result.stderr
        first, title, *_ = result.stdout.decode(encoding).splitlines()
        shown = "\\u4e2d" if encoding == "latin-1" else "\u4e2d"
        assert (first, title) == (f"caf\\udce9.jpg {shown}", shown)


def made(**changes):
    parts = {"expected": "a cat", "found": "a dog", "remedy": "buy a cat"} | changes
    return UserError("garden.jpg", "not a cat", **parts)


def test_message_says_where_what_expected_found_and_remedy():
    lines = str(made()).splitlines()
    assert lines[0] == "garden.jpg: not a cat"
    assert [line.split() for line in lines[1:]] == [
        ["expected:", "a", "cat"],
        ["found:", "a", "dog"],
        ["remedy:", "buy", "a", "cat"],
    ]


def test_user_error_ends_with_code_1_and_a_message_on_stderr():
    result = run(made())
    assert result.exit_code == 1
    assert result.stderr == f"error: {made()}\n"
    assert result.stdout == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_full_disk_ends_with_code_1_and_a_message(number):
    result = run(OSError(number, "No space left on device", "artifacts/images.h5"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: artifacts/images.h5: the disk is full")


def test_path_that_the_system_refuses_is_one_message():
    result = run(PermissionError(errno.EACCES, "Permission denied", "results/metrics.json"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: results/metrics.json: Permission denied")


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EIO, "look after the disk or the network drive"),
        (errno.ESTALE, "look after the disk or the network drive"),
        (errno.EAGAIN, "close the program that has it open"),
        (errno.ETXTBSY, "close the program that has it open"),
        (errno.EROFS, "write to a place that is not read-only"),
        (errno.EMFILE, "allow more open files (ulimit -n 4096)"),
        (errno.ENAMETOOLONG, "choose a shorter name"),
        (errno.EISDIR, "correct the path or its permissions"),
    ],
)
def test_each_reason_of_the_system_has_its_own_advice_and_none_touches_the_file(number, advice):
    result = run(OSError(number, "", "mine.h5"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: mine.h5: {os.strerror(number)}; {advice}")
    assert not re.search("delete|remove", result.stderr)


def test_fault_of_the_machine_without_a_files_name_is_one_message():
    result = run(OSError(errno.EIO, "Input/output error"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: reading or writing failed: Input/output error; look after")


@pytest.mark.parametrize(("text", "printed"), [("", "interrupted\n"), ("after epoch 2", "after epoch 2\n")])
def test_ctrl_c_ends_with_code_130_and_one_line(text, printed):
    result = run(KeyboardInterrupt(text))
    assert (result.exit_code, result.stderr, result.stdout) == (130, printed, "")


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "Bad file descriptor"), ValueError("a bug")])
def test_any_other_error_is_not_hidden(error):
    result = run(error)
    assert result.exit_code != 0
    assert "error:" not in result.stderr
    assert result.exception is error


def test_command_that_succeeds_is_left_alone():
    result = run(None)
    assert (result.exit_code, result.stdout) == (0, "fine\n")


def test_guarded_command_keeps_its_options_and_help():
    app = typer.Typer()

    @app.command()
    @reports_errors
    def command(number: int) -> None:
        """Count to a number."""

    result = CliRunner().invoke(app, ["--help"])
    assert "Count to a number." in result.stdout
    assert CliRunner().invoke(app, ["x"]).exit_code == 2
