"""`vireid new-method`: write the smallest method that trains, for somebody to change into their own."""

import keyword
import re
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from vireid.support.errors import UserError, reports_errors

NAME = typer.Argument(metavar="NAME", help="Of the method: small letters, digits and underscores.")
TEMPLATE_CLASS, TEMPLATE_NAME = "Newcomer", "newcomer"


@reports_errors
def new_method(name: Annotated[str, NAME]) -> None:
    """Write the smallest method that trains, with its preset and a test, as a start for a method of your own.

    It has one trunk, one loss and one embedding, and is found by its name: nothing else has to be edited. The
    tests of all methods take it up by themselves. Run this in the root of the project.

    Example: vireid new-method mine
    """
    from vireid.support.files import replacing

    _require_name(name)
    _require_root()
    room, tests = Path("src/vireid/methods") / name, Path("tests/methods") / name
    texts = {
        room / "__init__.py": "",
        room / "method.py": _filled("method.py", name),
        Path("conf/method") / f"{name}.yaml": _filled("preset.yaml", name),
        tests / "__init__.py": "",
        tests / "test_method.py": _filled("test_method.py", name),
    }
    # A package of a module's name would stand before it.
    for path in (*texts, room.with_suffix(".py"), tests.with_suffix(".py")):
        if path.exists():
            raise UserError(path, "is there already", expected="a new name", found=name, remedy="choose another")
    for path, text in texts.items():
        with replacing(path) as partial:
            partial.write_text(text, encoding="utf-8")
    for path, text in texts.items():
        if text:
            typer.echo(f"written: {path}")
    typer.echo(f"next: vireid preset method={name} schedule=smoke, then dvc repro")
    typer.echo(f"its tests: pytest tests/methods/{name}; those of all methods: pytest tests/methods -k {name}")


def _filled(template: str, name: str) -> str:
    text = (resources.files("vireid") / "scaffold" / template).read_text(encoding="utf-8")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return text.replace(TEMPLATE_CLASS, class_name).replace(TEMPLATE_NAME, name)


def _require_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UserError(
            "vireid new-method",
            "not a name for a method",
            expected="small letters, digits and underscores, with a letter first and no word of Python",
            found=name,
            remedy="choose another",
        )


def _require_root() -> None:
    """Refuse to write where the installed code would not find it."""
    from vireid.methods import ROOMS

    here = Path("src/vireid/methods")
    if not (here.is_dir() and here.samefile(ROOMS)):
        raise UserError(
            Path.cwd(),
            "not the root of the project whose code runs",
            expected=f"the folder with {here} that {ROOMS} is",
            found="another folder",
            remedy="change to the root; install a clone of its own first: pip install --editable .",
        )
