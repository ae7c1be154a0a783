"""`vireid preset`: merge small commented YAML files from `conf/` into `params.yaml`."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

GROUPS = ("dataset", "schedule", "method", "superresolve")
# Their keys depend on the method, so a preset replaces them whole; all other sections are merged key by key.
_REPLACED = ("model", "loss")


@reports_errors
def preset(
    choices: Annotated[list[str], typer.Argument(metavar="GROUP=NAME...", help="For example method=baseline.")],
    params: Annotated[Path, typer.Option(help="The parameters file to change.")] = Path("params.yaml"),
    conf: Annotated[Path, typer.Option(help="The folder of presets.")] = Path("conf"),
) -> None:
    """Merge presets into params.yaml, keeping its comments.

    The groups are dataset, schedule, method and superresolve; conf/<group>/<name>.yaml holds the presets of each.
    A method brings its own recipe for the schedule in force, and a schedule that of the method in force. A method
    can have several presets, as fprnet has fprnet_release; params.yaml keeps the one in force under recipe.

    Example: vireid preset dataset=sysu_mm01 method=fprnet schedule=paper
    """
    from ruamel.yaml import YAML

    from vireid.methods import check_method
    from vireid.params import Params, check_section, load_params
    from vireid.support.files import replacing

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    chosen = _parse(choices)
    load_params(params)
    values = yaml.load(params)
    if "schedule" in chosen:
        chosen.setdefault("method", values["recipe"])
    before = _flat(values)
    for group in GROUPS:
        if group in chosen:
            part = yaml.load(_file(conf, group, chosen[group]))
            merge(values, _with_schedule(part, values["schedule"], chosen[group]), where=f"conf/{group}")
    if "method" in chosen:
        values["recipe"] = chosen["method"]
    merged = check_section(
        Params, values, f"{params} with {' '.join(choices)}", remedy="correct the preset in conf/"
    )
    check_method(merged.method, merged.model, merged.loss)
    with replacing(params) as partial:
        yaml.dump(values, partial)
    after = _flat(values)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            typer.echo(f"{key}: {before.get(key, '(none)')} -> {after.get(key, '(none)')}")


def merge(values: "CommentedMap", part: Mapping[str, Any], where: str) -> None:
    """Put a preset's values in place, section by section.

    Raises:
        UserError: If the preset has a key that the parameters lack.
    """
    for key, value in part.items():
        if key not in values:
            raise UserError(
                where,
                "a preset sets a key that is not in params.yaml",
                expected=", ".join(values),
                found=key,
                remedy="correct the preset",
            )
        if isinstance(value, Mapping) and key not in _REPLACED:
            merge(values[key], value, f"{where}.{key}")
        else:
            values[key] = value
            _close_up_comment(values, key)


def _close_up_comment(values: "CommentedMap", key: str) -> None:
    """Put the comment one space behind a new value, rather than in the column where the old value had it."""
    comment = values.ca.items[key][2] if key in values.ca.items else None
    if comment is not None:
        comment.column = 0


def _parse(choices: list[str]) -> dict[str, str]:
    chosen = {}
    for choice in choices:
        group, equals, name = choice.partition("=")
        if not equals or group not in GROUPS:
            raise UserError(
                "vireid preset",
                "not a choice of a preset",
                expected=f"GROUP=NAME with a group of {', '.join(GROUPS)}",
                found=choice,
                remedy="for example: vireid preset method=baseline schedule=paper",
            )
        chosen[group] = name
    return chosen


def _file(conf: Path, group: str, name: str) -> Path:
    known = sorted(path.stem for path in (conf / group).glob("*.yaml"))
    if name not in known:
        raise UserError(
            conf / group,
            "there is no such preset",
            expected=f"one of {', '.join(known) or '(none: run in the root of the project)'}",
            found=name,
            remedy=f"vireid preset {group}=NAME",
        )
    return conf / group / f"{name}.yaml"


def _with_schedule(part: dict[str, Any], schedule: str, name: str) -> dict[str, Any]:
    """Take from a method's file the recipe of one schedule."""
    if "schedules" not in part:
        return part
    recipes = part.pop("schedules")
    if schedule not in recipes:
        raise UserError(
            f"conf/method/{name}.yaml",
            "the method has no recipe for this schedule",
            expected=f"one of {', '.join(recipes)}",
            found=schedule,
            remedy="choose another schedule",
        )
    return part | recipes[schedule]


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat
