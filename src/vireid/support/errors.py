"""One kind of error for everything a user can mend, and the place where it is printed."""

import errno
import functools
import io
import sys
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")


class UserError(Exception):
    """A mistake outside the code: a missing file, an unknown key, a broken image.

    Args:
        where: What the error is about, usually a file or a parameter's key.
        problem: What is wrong, in a few words.
        expected: What should have been there.
        found: What was there.
        remedy: What the user can do about it.
    """

    def __init__(self, where: object, problem: str, *, expected: object, found: object, remedy: str):
        self.where, self.problem = where, problem
        self.expected, self.found, self.remedy = expected, found, remedy
        super().__init__(f"{where}: {problem}\n  expected: {expected}\n  found:    {found}\n  remedy:   {remedy}")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with a message and exit code 1, without a traceback, on what a user can mend."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        _print_every_name()
        try:
            return command(*args, **kwargs)
        except UserError as error:
            _fail(str(error))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                _fail(f"{error.filename or 'output'}: the disk is full; free some space and run again")
            if error.filename is None:
                raise
            _fail(f"{error.filename}: {error.strerror}; correct the path or its permissions")

    return guarded


def _print_every_name() -> None:
    """Have a name that the output's encoding cannot hold escaped, rather than end the command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(message: str) -> NoReturn:
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code=1)
