"""Presets: small commented YAML files in `conf/` that are merged into parameters."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vireid.support.errors import UserError

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

GROUPS = ("dataset", "schedule", "method", "superresolve")
# Their keys depend on the method, so a preset replaces them whole; all other sections are merged key by key.
_REPLACED = ("model", "loss")


def apply_presets(values: "CommentedMap", chosen: Mapping[str, str], conf: Path) -> None:
    """Merge presets into parameters, in place and with their comments kept.

    Args:
        values: What params.yaml holds.
        chosen: Group -> name. A schedule without a method brings that of the recipe in force.
        conf: The folder of presets.

    Raises:
        UserError: If there is no such preset, or it sets a key that the parameters lack.
    """
    from ruamel.yaml import YAML

    chosen = dict(chosen)
    if "schedule" in chosen:
        chosen.setdefault("method", values["recipe"])
    for group in GROUPS:
        if group in chosen:
            part = YAML().load(preset_file(conf, group, chosen[group]))
            part = _with_schedule(part, values["schedule"], chosen[group])
            merge(values, part, where=f"conf/{group}")
    if "method" in chosen:
        values["recipe"] = chosen["method"]


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


def preset_file(conf: Path, group: str, name: str) -> Path:
    """Find a preset.

    Raises:
        UserError: If there is none of that name.
    """
    known = sorted(path.stem for path in (conf / group).glob("[!.]*.yaml"))
    if name not in known:
        raise UserError(
            conf / group,
            "there is no such preset",
            expected=f"one of {', '.join(known) or '(none: run in the root of the project)'}",
            found=name,
            remedy=f"vireid preset {group}=NAME",
        )
    return conf / group / f"{name}.yaml"


def described(conf: Path, group: str) -> dict[str, str]:
    """Return the presets of a group by name, each with the first line of its file's comment.

    Args:
        conf: The folder of presets.
        group: One of `GROUPS`.

    Raises:
        UserError: If there is none.
    """
    files = sorted((conf / group).glob("*.yaml"))
    if not files:
        preset_file(conf, group, "")
    return {path.stem: path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ") for path in files}


def in_force(values: Mapping[str, Any], conf: Path, group: str) -> str | None:
    """Name the preset of a group that parameters have, if they have one.

    Args:
        values: What params.yaml holds.
        conf: The folder of presets.
        group: One of `GROUPS`.
    """
    from ruamel.yaml import YAML

    named = {"dataset": values["dataset"]["name"], "schedule": values["schedule"], "method": values["recipe"]}
    if group in named:
        return named[group]
    present = flat(values)
    for path in sorted((conf / group).glob("*.yaml")):
        if flat(YAML(typ="safe", pure=True).load(path)).items() <= present.items():
            return path.stem
    return None


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


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted key; a list is one value."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found
