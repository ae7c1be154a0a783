"""The methods by name: each is a folder with a `method.py`, imported only when it is asked for."""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vireid.params import Params, Section, check_section
from vireid.support.errors import UserError

if TYPE_CHECKING:
    from vireid.methods.base import Embedder

ROOMS = Path(__file__).parent


def method_names() -> list[str]:
    """Names of the methods: the folders beside this file that hold a `method.py`."""
    return sorted(path.parent.name for path in ROOMS.glob("*/method.py"))


def method_class(name: str) -> "type[Embedder]":
    """Import a method's class: the one that its `method.py` defines from `Method` or `Fitted`.

    Raises:
        UserError: If there is no method of that name, or its file defines none or several.
    """
    if name not in method_names():
        raise UserError(
            "method",
            "there is no such method",
            expected=f"one of {', '.join(method_names())}",
            found=name,
            remedy="choose one with `vireid preset method=NAME`",
        )
    from vireid.methods.base import Fitted, Method

    module = import_module(f"vireid.methods.{name}.method")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Method | Fitted) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise UserError(
            ROOMS / name / "method.py",
            "not the file of one method",
            expected="one class derived from Method or Fitted",
            found=", ".join(cls.__name__ for cls in classes) or "none",
            remedy="keep helpers that are no method in other files of the folder",
        )
    return classes[0]


def check_method(
    name: str, model: dict[str, Any], loss: dict[str, Any]
) -> "tuple[type[Embedder], Section, Section]":
    """Check a method's sections of `params.yaml`.

    Returns:
        The method's class and its typed sections `model` and `loss`.

    Raises:
        UserError: If there is no such method, or a key or value of its sections is not its own.
    """
    cls = method_class(name)
    remedy = f"correct it, or take the method's own values: vireid preset method={name}"
    return (
        cls,
        check_section(cls.Model, model, f"params.yaml, model of {name}", remedy),
        check_section(cls.Loss, loss, f"params.yaml, loss of {name}", remedy),
    )


def check_recipe(params: Params) -> None:
    """Check a method's sections of `params.yaml` by themselves and against the other parameters.

    Raises:
        UserError: As `check_method`, or if the other parameters contradict the sections.
    """
    cls, model_section, loss_section = check_method(params.method, params.model, params.loss)
    cls.check_recipe(model_section, loss_section, params)


def build_method(
    name: str, num_pids: int, model: dict[str, Any], loss: dict[str, Any], *, from_scratch: bool = False
) -> "Embedder":
    """Build a method for a number of training identities.

    Args:
        name: As of its folder.
        num_pids: Number of training identities.
        model: The parameters' section `model`.
        loss: The parameters' section `loss`.
        from_scratch: Fetch no pretrained weights, as all will be loaded from a file.

    Raises:
        UserError: As `check_method`, or if pretrained weights cannot be had.
    """
    cls, model_section, loss_section = check_method(name, model, loss)
    if from_scratch:
        model_section = cls.from_scratch(model_section)
    return cls(num_pids, model_section, loss_section)
