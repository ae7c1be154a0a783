"""Parsing a command as its own program does, without running it; what does not parse is an `AssertionError`."""

import importlib.util
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from dvc.cli import parse_args
from dvc.cli.parser import DvcParserError
from dvc.exceptions import InvalidArgumentError
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from hydra.errors import OverrideParseException
from ruamel.yaml import YAML
from typer._click import exceptions

from tests.made import CONF, ROOT, read_yaml, recipe_of
from vireid.cli import app
from vireid.datasets.protocols import protocol_named
from vireid.layers import GROUPS, preset_names
from vireid.methods import check_recipe
from vireid.params import load_params
from vireid.support.errors import UserError

NEW_METHOD = "mine"  # that the pages write by `vireid new-method`
PLACEHOLDER, PLACEHOLDER_VALUE = "NAME", "KEY=VALUE"
# Programs that are not ours and change with none of our files.
BY_EYE = ("git", "sed", "source", "pytest", "torchrun")


def check_command(words: Sequence[str], folder: Path, *, may_lack_arguments: bool) -> None:
    """Check that a command would be understood.

    Args:
        words: The program and its arguments.
        folder: Where the check may write.
        may_lack_arguments: Whether a command of vireid may be a name with or without options, as prose has it.
    """
    program, *arguments = words
    if program == "vireid":
        _check_vireid(arguments, may_lack_arguments)
    elif program == "dvc":
        _check_dvc(arguments, folder)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert set(arguments) <= set(targets), words
    elif program == "python":
        _check_script(arguments)
    else:
        assert program in BY_EYE, words


def _check_vireid(arguments: Sequence[str], may_lack_arguments: bool) -> None:
    group = typer.main.get_command(app)
    name, *rest = arguments
    if name.startswith("-"):
        assert name in {option for parameter in group.params for option in parameter.opts}, arguments
        return
    assert name in group.commands, arguments
    try:
        given = group.commands[name].make_context(name, list(rest)).params
    except exceptions.MissingParameter:
        assert may_lack_arguments, arguments
        return
    except exceptions.UsageError as error:
        raise AssertionError(f"{arguments}: {error.format_message()}") from error
    _check_names(name, given)


def _check_names(command: str, given: dict) -> None:
    """Check presets, tables with their rows, and protocols that a command's arguments name."""
    presets = {}
    if command == "preset":
        presets = dict(choice.split("=", 1) for choice in given["choices"] or () if "=" in choice)
        assert len(presets) == len(given["choices"] or ()), given["choices"]
        presets.pop("dataset.root", None)
    elif command in ("experiments", "table"):
        presets = {group: given[group] for group in ("dataset", "schedule") if given[group]}
        if given["name"]:
            table = CONF / "experiments" / f"{given['name']}.yaml"
            assert table.is_file(), given["name"]
            rows = (given["rows"] or "").split(",")
            assert not given["rows"] or set(rows) <= read_yaml(table)["rows"].keys(), rows
    elif command == "evaluate":
        for protocol in given["protocols"] or ():
            protocol_named(protocol)
    for group, name in presets.items():
        assert group in GROUPS, group
        assert name in (*preset_names(CONF, group), NEW_METHOD, PLACEHOLDER), name


def _check_dvc(arguments: Sequence[str], folder: Path) -> None:
    try:
        parse_args(arguments)
    except DvcParserError as error:  # the parser itself has printed what is wrong
        raise AssertionError(arguments) from error
    values = [
        value
        for option, value in pairwise(arguments)
        if option in ("-S", "--set-param") and value != PLACEHOLDER_VALUE
    ]
    if values:
        check_overrides(values, folder)


def check_overrides(overrides: Sequence[str], folder: Path) -> None:
    """Check that DVC's `-S KEY=VALUE` makes parameters that at least one method's preset takes."""
    try:
        sweep = get_hydra_sweeps({"params.yaml": list(overrides)})
    except OverrideParseException as error:
        raise AssertionError(f"{overrides}: {error}") from error
    recipes = preset_names(CONF, "method")
    for values in sweep:
        assert any(_are_taken(values["params.yaml"], recipe, folder) for recipe in recipes), values


def _are_taken(overrides: list[str], recipe: str, folder: Path) -> bool:
    """Tell whether the parameters of a method's preset are still right with overrides."""
    path = folder / "params.yaml"
    YAML().dump(recipe_of(recipe, "paper"), path)
    try:
        apply_overrides(path, overrides)
        params = load_params(path)
        check_recipe(params)
    except (UserError, InvalidArgumentError):
        return False
    return True


def _check_script(arguments: Sequence[str]) -> None:
    """Check the arguments of a file of stages/ or benchmarks/, which is a command by Typer."""
    path, *rest = arguments
    try:
        command = _command_of(ROOT / path)
        if rest != ["--help"]:
            command.make_context(path, list(rest))
    except (FileNotFoundError, exceptions.UsageError) as error:
        raise AssertionError(f"{arguments}: {error}") from error


@cache
def _command_of(path: Path):
    spec = importlib.util.spec_from_file_location(f"{path.parent.name}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)  # a script imports its neighbours
        spec.loader.exec_module(module)
    script = getattr(module, "app", None)
    if script is None:
        script = typer.Typer()
        script.command()(module.main)
    return typer.main.get_command(script)
