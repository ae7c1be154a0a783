"""The methods by name; each is imported only when it is asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vireid.params import Section, Train, check_section
from vireid.support.errors import UserError

if TYPE_CHECKING:
    from vireid.methods.base import Method

METHODS = {
    "baseline": "vireid.methods.baseline:Baseline",
    "fprnet": "vireid.methods.fprnet:FPRNet",
    "tffn": "vireid.methods.tffn:TFFN",
}


def method_class(name: str) -> "type[Method]":
    """Import a method's class.

    Raises:
        UserError: If there is no method of that name.
    """
    if name not in METHODS:
        raise UserError(
            "method",
            "there is no such method",
            expected=f"one of {', '.join(METHODS)}",
            found=name,
            remedy="choose one with `vireid preset method=NAME`",
        )
    module, _, attribute = METHODS[name].partition(":")
    return getattr(import_module(module), attribute)


def check_method(
    name: str, model: dict[str, Any], loss: dict[str, Any]
) -> "tuple[type[Method], Section, Section]":
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


def check_recipe(name: str, model: dict[str, Any], loss: dict[str, Any], train: Train) -> None:
    """Check a method's sections of `params.yaml` by themselves and against the training's recipe.

    Raises:
        UserError: As `check_method`, or if the recipe contradicts the sections.
    """
    cls, model_section, loss_section = check_method(name, model, loss)
    cls.check_recipe(model_section, loss_section, train)


def build_method(
    name: str, num_pids: int, model: dict[str, Any], loss: dict[str, Any], *, from_scratch: bool = False
) -> "Method":
    """Build a method for a number of training identities.

    Args:
        name: As in `METHODS`.
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
