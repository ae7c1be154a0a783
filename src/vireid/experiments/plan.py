"""From the rows of a table to runs: what each run's parameters are, checked, and how DVC is told."""

import json
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vireid.experiments.grid import Grid, GridRow
from vireid.experiments.repetition import Repetition
from vireid.layers import read_preset
from vireid.methods import check_recipe
from vireid.params import Params, check_section, load_params
from vireid.presets import apply_presets
from vireid.support.errors import UserError
from vireid.support.yaml_files import read_yaml


@dataclass(frozen=True)
class Plan:
    """A table on one data set with one schedule.

    Attributes:
        table: Its name, as `fprnet/table4`.
        grid: What the file of that name holds.
        prefix: What the names of all its experiments begin with.
        before: The parameters in the workspace.
        settings: Per row, all its parameters; seed and trial are the workspace's or the data set preset's.
    """

    table: str
    grid: Grid
    prefix: str
    before: dict[str, Any]
    settings: dict[str, dict[str, Any]]

    @property
    def dataset(self) -> dict[str, Any]:
        """The parameters of the data set, which all rows share."""
        return next(iter(self.settings.values()), self.before)["dataset"]

    def name(self, row: str, repetition: Repetition) -> str:
        """Name of one experiment."""
        return f"{self.prefix}-{row}-{repetition}"

    def overrides(self, row: str, repetition: Repetition) -> list[str]:
        """What `dvc exp run` is told by `-S` for one experiment."""
        values = self.settings[row]
        repeated = {"seed": repetition.seed, "dataset": values["dataset"] | {"trial": repetition.trial}}
        return list(overrides(self.before, values | repeated))


def make_plan(
    grid: Grid, name: str, params: Path, conf: Path, presets: Mapping[str, str], rows: Iterable[str]
) -> Plan:
    """Work out and check the parameters of rows of a table.

    Args:
        grid: The table.
        name: Its name, as `fprnet/table4`.
        params: The parameters file that the rows start from.
        conf: The folder of presets.
        presets: The data set's and the schedule's, where they are not to be those of the parameters file. Of the
            data set that this file has already, it keeps what is set there, above all its folder.
        rows: Names of rows; those that no parameters reach are left out.

    Raises:
        UserError: If there is no such preset; or naming every row whose presets or parameters are wrong.
    """
    load_params(params)
    before = read_yaml(params, with_comments=True)
    for group, chosen in presets.items():
        read_preset(conf, group, chosen)
    here = ("dataset", before["dataset"]["name"])
    presets = dict(pair for pair in presets.items() if pair != here)
    settings, problems = {}, []
    for row in rows:
        if not grid.rows[row].reachable:
            continue
        values = deepcopy(before)
        try:
            _put_row(values, grid, grid.rows[row], presets, conf)
            checked = check_section(Params, values, f"row {row}", "correct the row or its preset")
            check_recipe(checked)
            _check_ranks(grid, checked.evaluate.ranks)
        except UserError as error:
            problems.append(f"row {row}: {error}")
        settings[row] = _plain(values)
    if problems:
        raise UserError(
            conf / "experiments" / f"{name}.yaml",
            f"{len(problems)} of {len(settings)} rows are no valid parameters",
            expected="rows that params.yaml and the method accept",
            found="\n" + "\n".join(problems),
            remedy="correct the rows, or params.yaml",
        )
    first = next(iter(settings.values()), before)
    prefix = f"{name.replace('/', '-')}-{first['dataset']['name']}-{first['schedule']}"
    return Plan(name, grid, prefix, _plain(before), settings)


def _put_row(values: Any, grid: Grid, row: GridRow, presets: Mapping[str, str], conf: Path) -> None:
    """Put the presets and then the row's own values in place."""
    chosen = dict(presets) | grid.presets | (row.presets or {})
    apply_presets(values, chosen, conf)
    for key, value in grid.values(row, values["schedule"]).items():
        *sections, last = key.split(".")
        section: Any = values
        for part in sections:
            section = section.get(part) if isinstance(section, Mapping) else None
        if not isinstance(section, MutableMapping) or last not in section:
            raise UserError(
                "set",
                "it sets a key that is not in the parameters",
                expected="a key of params.yaml with the row's presets",
                found=key,
                remedy="correct the row",
            )
        section[last] = deepcopy(value)


def _check_ranks(grid: Grid, ranks: Sequence[int]) -> None:
    missing = [rank for rank in grid.ranks if rank not in ranks]
    if missing:
        raise UserError(
            "evaluate.ranks",
            "the table has columns that would not be reported",
            expected=f"ranks that hold {', '.join(map(str, missing))}",
            found=list(ranks),
            remedy="add them to evaluate.ranks in params.yaml",
        )


def _plain(value: Any) -> Any:
    """Turn what a YAML round trip holds into dicts, lists and scalars."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool) else _scalar(value)


def _scalar(value: Any) -> int | float | str:
    return next(kind(value) for kind in (int, float, str) if isinstance(value, kind))


def overrides(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Yield what turns parameters into others, in the grammar of `dvc exp run -S`, which is Hydra's."""
    for key in before:
        if key not in after:
            yield f"~{prefix}{key}"
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            yield from overrides(old, value, f"{prefix}{key}.")
        elif key not in before or old != value or type(old) is not type(value):
            if {type(old), type(value)} == {dict, list}:
                yield f"~{prefix}{key}"  # Hydra puts no mapping in the place of a list, nor a list in its
            yield f"++{prefix}{key}={literal(value)}"


def literal(value: Any) -> str:
    r"""Write a value in Hydra's grammar, which knows text in single quotes, lists and dicts with bare keys.

    >>> literal({"mode": "hybrid", "features": [["r5", "r2"]], "type": 1})
    "{mode:'hybrid',features:[['r5','r2']],type:1}"
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(map(literal, value)) + "]"
    if isinstance(value, str):
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
    return json.dumps(value)
