"""The data sets: a file each, found by listing this folder; a new data set is a new file and its preset."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from vireid.support.errors import UserError

if TYPE_CHECKING:
    from vireid.datasets.base import DataSet


@cache
def data_sets() -> "dict[str, DataSet]":
    """Every data set by its layout: those of the modules here that define a `DATA_SET`."""
    modules = (import_module(f"{__name__}.{name}") for _, name, _ in iter_modules(__path__))
    known = [module.DATA_SET for module in modules if hasattr(module, "DATA_SET")]
    return {data_set.layout: data_set for data_set in known}


def data_set_of(layout: str, where: str = "dataset.layout") -> "DataSet":
    """Look a data set up by its layout.

    Args:
        layout: Its name.
        where: The parameter or option that names it, for the message.

    Raises:
        UserError: If there is none.
    """
    known = data_sets()
    if layout not in known:
        raise UserError(
            where,
            "there is no such layout",
            expected=f"one of {', '.join(known)}",
            found=layout,
            remedy="choose one of these; for params.yaml `vireid preset dataset=NAME` does",
        )
    return known[layout]


def data_set_names() -> list[str]:
    """Every name under which results are reported."""
    return [name for data_set in data_sets().values() for name in data_set.names]
