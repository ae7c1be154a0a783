"""One kind of error for everything a user can mend, and the place where it is printed."""

import functools
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

import typer

from vireid.support.refusals import refusal
from vireid.support.surroundings import put_right

P = ParamSpec("P")
R = TypeVar("R")

_INTERRUPTED = 130  # the exit code that shells give a program which was ended with Ctrl-C


class UserError(Exception):
    """A mistake outside the code: a missing file, an unknown key, a broken image.

    Args:
        where: What the error is about, usually a file or a parameter's key.
        problem: What is wrong, in a few words.
        expected: What should have been there.
        found: What was there.
        remedy: What the user can do about it; never something that destroys a file which may be sound.
    """

    def __init__(self, where: object, problem: str, *, expected: object, found: object, remedy: str):
        self.where, self.problem = where, problem
        self.expected, self.found, self.remedy = expected, found, remedy
        super().__init__(f"{where}: {problem}\n  expected: {expected}\n  found:    {found}\n  remedy:   {remedy}")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Make a command end with a message and without a traceback on what a user can mend, and on Ctrl-C.

    The exit code is 1, and 130 after Ctrl-C. An interruption's own text is printed where it has one, as that of a
    training which can go on.
    """

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        put_right()
        try:
            return command(*args, **kwargs)
        except UserError as error:
            _fail(f"error: {error}")
        except OSError as error:
            message = refusal(error)
            if message is None:
                raise
            _fail(f"error: {message}")
        except KeyboardInterrupt as error:
            _fail(str(error) or "interrupted", _INTERRUPTED)

    return guarded


def _fail(message: str, code: int = 1) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
