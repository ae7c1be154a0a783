"""A run's parameters, composed from layers: small commented YAML files in `conf/`, each with only what it decides.

From the lowest to the highest, a higher one winning key by key:

    conf/base.yaml                  every key but those of a method
    conf/schedule/NAME.yaml         sizes and lengths; after the schedule that it extends
    conf/dataset/NAME.yaml          where the images are and what is evaluated
    conf/method/NAME.yaml           the method's `model` and `loss`, and its recipe; after the one that it extends
    ... its part `schedules`        what the method does differently under the schedule, likewise
    conf/superresolve/NAME.yaml     SRCNN's recipe

`extends: OTHER` names a file of the same folder. A key that no lower layer has is an error; only a method's own
file may bring new keys, those of `model` and `loss`. Lists are replaced whole.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap

from vireid.support.errors import UserError
from vireid.support.yaml_files import read_yaml

GROUPS = ("schedule", "dataset", "method", "superresolve")
BASE = "base.yaml"
METHOD_SECTIONS = ("model", "loss")
"""Sections whose keys depend on the method."""


@dataclass(frozen=True)
class Layer:
    """What one file, or a method's part for a schedule, decides.

    Attributes:
        name: The file, with the part where it is one.
        values: Nested values.
        new_keys_in: Sections to which it may bring keys that no lower layer has; None for all.
    """

    name: str
    values: Mapping[str, Any]
    new_keys_in: Collection[str] | None = ()


@dataclass(frozen=True)
class Composition:
    """Composed parameters.

    Attributes:
        values: Nested.
        origins: Dotted key -> name of the layer that decides it.
    """

    values: CommentedMap
    origins: Mapping[str, str]


def compose(conf: Path, chosen: Mapping[str, str]) -> Composition:
    """Compose parameters from nothing.

    Args:
        conf: The folder of presets.
        chosen: Group -> name; schedule, dataset and method are needed.

    Raises:
        UserError: If there is no such preset, a file is no YAML, or a layer sets a key that is not there.
    """
    values = CommentedMap()
    origins: dict[str, str] = {}
    for layer in _layers(conf, chosen):
        _put(values, layer.values, layer, origins)
    values["recipe"] = chosen["method"]
    origins["recipe"] = f"method={chosen['method']}"
    return Composition(values, origins)


def decided_keys(conf: Path, group: str, names: Iterable[str]) -> set[str]:
    """Dotted keys that some presets of a group decide, or those that they extend, under whichever schedule."""
    keys = set()
    for name in names:
        for extended, content in _with_extended(conf, group, name).items():
            parts = [content, *_parts(conf / group / f"{extended}.yaml", content).values()]
            keys |= {key for part in parts for key in flat(part)}
    return keys


def preset_names(conf: Path, group: str) -> list[str]:
    """Names of a group's presets."""
    return sorted(path.stem for path in (conf / group).glob("[!.]*.yaml"))


def known_presets(conf: Path, group: str) -> list[str]:
    """Names of a group's presets, of which there is at least one.

    Raises:
        UserError: If there is none: this is not the project's folder of presets.
    """
    names = preset_names(conf, group)
    if not names:
        raise UserError(
            conf / group,
            "there are no presets",
            expected="conf/ of the project",
            found="no YAML file" if conf.is_dir() else "no such folder",
            remedy="run in the root of the project, or correct --conf",
        )
    return names


def read_preset(conf: Path, group: str, name: str) -> CommentedMap:
    """Read one preset's file.

    Raises:
        UserError: If there is none of that name, or it is no YAML mapping.
    """
    known = known_presets(conf, group)
    if name not in known:
        raise UserError(
            conf / group,
            "there is no such preset",
            expected=f"one of {', '.join(known)}",
            found=name or "an empty name",
            remedy=f"vireid preset {group}=NAME",
        )
    return _read(conf / group / f"{name}.yaml")


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted key; a list is one value."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        leaves |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return leaves


def _layers(conf: Path, chosen: Mapping[str, str]) -> Iterator[Layer]:
    """Yield the layers from the lowest to the highest."""
    yield Layer(str(conf / BASE), _read(conf / BASE), new_keys_in=None)
    schedules = _with_extended(conf, "schedule", chosen["schedule"])
    methods = _with_extended(conf, "method", chosen["method"])
    for group, files in (("schedule", schedules), ("dataset", _with_extended(conf, "dataset", chosen["dataset"]))):
        for name, content in files.items():
            yield Layer(str(conf / group / f"{name}.yaml"), content)
    parts: dict[str, Mapping[str, Any]] = {}
    for number, (name, content) in enumerate(methods.items()):
        parts[name] = _parts(conf / "method" / f"{name}.yaml", content)
        yield Layer(str(conf / "method" / f"{name}.yaml"), content, METHOD_SECTIONS if number == 0 else ())
    _require_known_schedules(conf, parts)
    for schedule in schedules:
        for name, by_schedule in parts.items():
            if schedule in by_schedule:
                where = f"{conf / 'method' / f'{name}.yaml'}, schedules.{schedule}"
                yield Layer(where, by_schedule[schedule])
    if "superresolve" in chosen:
        for name, content in _with_extended(conf, "superresolve", chosen["superresolve"]).items():
            yield Layer(str(conf / "superresolve" / f"{name}.yaml"), content)


def _with_extended(conf: Path, group: str, name: str) -> dict[str, CommentedMap]:
    """Read a preset and those that it extends, the lowest first, without the key `extends`.

    Raises:
        UserError: If a preset extends itself, possibly through others.
    """
    chain: dict[str, CommentedMap] = {}
    following: str | None = name
    while following is not None:
        if following in chain:
            raise UserError(
                conf / group / f"{following}.yaml",
                "a preset extends itself",
                expected="extends: the name of a preset that does not lead back here",
                found=" -> ".join([*chain, following]),
                remedy="correct the preset",
            )
        chain[following] = read_preset(conf, group, following)
        following = chain[following].pop("extends", None)
    return dict(reversed(chain.items()))


def _parts(path: Path, content: dict[str, Any]) -> Mapping[str, Any]:
    """Take the parts for schedules out of a preset's content; only a method has any.

    Raises:
        UserError: If the key `schedules` or a part is empty.
    """
    parts = content.pop("schedules", {})
    if not isinstance(parts, Mapping) or not all(isinstance(part, Mapping) for part in parts.values()):
        raise UserError(
            path,
            "a part of schedules holds nothing",
            expected="schedules: {NAME: {keys and values}}",
            found="nothing" if parts is None else dict(parts) if isinstance(parts, Mapping) else parts,
            remedy="fill it, or take it out",
        )
    return parts


def _require_known_schedules(conf: Path, parts: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a part of a method's file for a schedule that does not exist: it would never be used."""
    known = preset_names(conf, "schedule")
    for name, by_schedule in parts.items():
        if unknown := by_schedule.keys() - set(known):
            raise UserError(
                conf / "method" / f"{name}.yaml",
                "a recipe for an unknown schedule",
                expected=f"schedules of {', '.join(known)}",
                found=", ".join(sorted(unknown)),
                remedy="correct the preset",
            )


def _put(
    values: CommentedMap, part: Mapping[str, Any], layer: Layer, origins: dict[str, str], path: Sequence[str] = ()
) -> None:
    """Put a layer's values in place, key by key."""
    new_keys = layer.new_keys_in is None or (path and path[0] in layer.new_keys_in)
    for key, value in part.items():
        dotted = ".".join((*path, key))
        if key not in values and not new_keys:
            raise UserError(
                layer.name,
                "a preset sets a key that is not there",
                expected=f"one of {', '.join('.'.join((*path, known)) for known in values) or 'no key at all'}",
                found=dotted,
                remedy="correct the preset",
            )
        present = values.get(key)
        if key in values and isinstance(value, Mapping) != isinstance(present, Mapping):
            wanted = "keys and values below it" if isinstance(present, Mapping) else "one value"
            raise UserError(
                layer.name,
                f"{dotted} is of another form in the layers below",
                expected=wanted,
                found="nothing" if value is None else value,
                remedy="correct the preset",
            )
        if isinstance(value, Mapping):
            if key not in values:
                values[key] = CommentedMap()
            _put(values[key], value, layer, origins, (*path, key))
        else:
            values[key] = deepcopy(value)
            origins[dotted] = layer.name


def _read(path: Path) -> CommentedMap:
    """Read a layer; what is returned may be changed."""
    return deepcopy(_parsed(path, path.read_bytes()))


@cache
def _parsed(path: Path, content: bytes) -> CommentedMap:
    """Parse a layer once for each content: a table composes its rows from the same few files."""
    values = read_yaml(path, with_comments=True)
    if not isinstance(values, CommentedMap):
        raise UserError(path, "not a preset", expected="keys and values", found=values, remedy="mend it")
    return values
