"""Presets put into parameters: what the layers in `conf/` decide, without losing what was edited by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from vireid.layers import METHOD_SECTIONS, Composition, compose, decided_keys, flat, known_presets, preset_names


def apply_presets(values: CommentedMap, chosen: Mapping[str, str], conf: Path) -> Composition:
    """Put presets into parameters, in place and with their comments kept.

    All parameters are composed anew from the presets in force. Then only those keys are written that a preset of a
    chosen group decides; of methods, the one that was in force or the one that is chosen. So what the former
    choice had set is gone, and what no such preset speaks of stays: the data set's folder when a method is chosen.

    Args:
        values: What params.yaml holds.
        chosen: Group -> name. A schedule without a method brings that of the recipe in force.
        conf: The folder of presets.

    Returns:
        What the presets in force are composed to.

    Raises:
        UserError: If there is no such preset, or one sets a key that is not there.
    """
    chosen = dict(chosen)
    if "schedule" in chosen:
        chosen.setdefault("method", values["recipe"])
    before = presets_in_force(values, conf)
    composition = compose(conf, before | chosen)
    keys = set()
    for group, name in chosen.items():
        names = {before[group], name} if group == "method" else preset_names(conf, group)
        keys |= decided_keys(conf, group, names)
    if "dataset" in chosen:  # trial, galleries and thermal images were those of another one
        keys |= {key for key in flat(composition.values) if key.startswith("dataset.")}
    if "method" in chosen:
        # The keys of its sections are its own, so these are replaced whole.
        keys = {key for key in keys if key.split(".")[0] not in METHOD_SECTIONS} | {*METHOD_SECTIONS, "recipe"}
    composed = dict(composition.values)
    for key in sorted(keys):
        put(values, key, _at(composed, key))
    return composition


def put(values: CommentedMap, key: str, value: Any) -> None:
    """Set a dotted key; the sections on the way exist, and its comment stays.

    Lists and mappings are written line by line, as `dvc exp run -S` does when it changes one. A value that is
    there already stays as it is written.
    """
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    if last in values and values[last] == value:
        return
    values[last] = _in_block_style(value)
    # The comment stands one space behind the new value, rather than in the column where the old one had it.
    comment = values.ca.items[last][2] if last in values.ca.items else None
    if comment is not None:
        comment.column = 0


def presets_in_force(values: Mapping[str, Any], conf: Path) -> dict[str, str]:
    """Say by group which presets parameters have.

    SRCNN's recipe has no name in them: it is the preset that has their values, and is missing where none has.

    Args:
        values: What params.yaml holds.
        conf: The folder of presets.

    Raises:
        UserError: If a preset that the parameters name is not there.
    """
    group = "superresolve"
    named = {"schedule": values["schedule"], "dataset": values["dataset"]["name"], "method": values["recipe"]}
    names = preset_names(conf, group)
    present, keys = flat(values), decided_keys(conf, group, names)
    for name in names:
        composed = flat(compose(conf, named | {group: name}).values)
        decided = keys if composed["superresolve.enabled"] else {"superresolve.enabled"}
        if all(composed[key] == present[key] for key in decided):
            return named | {group: name}
    return named


def differences(values: Mapping[str, Any], composition: Composition) -> dict[str, str]:
    """Say by dotted key what the layers have where parameters have something else: what was edited by hand."""
    composed = flat(composition.values)
    return {
        key: f"{composition.origins[key]} has {composed[key]}"
        for key, value in flat(values).items()
        if key in composition.origins and value != composed[key]
    }


def described(conf: Path, group: str) -> dict[str, str]:
    """Return the presets of a group by name, each with the first line of its file's comment.

    Args:
        conf: The folder of presets.
        group: One of `layers.GROUPS`.

    Raises:
        UserError: If there is none.
    """
    return {name: _first_line(conf / group / f"{name}.yaml") for name in known_presets(conf, group)}


def _first_line(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")


def _at(values: Mapping[str, Any], key: str) -> Any:
    for part in key.split("."):
        values = values[part]
    return values


def _in_block_style(value: Any) -> Any:
    if isinstance(value, CommentedSeq | CommentedMap):
        value.fa.set_block_style()
        for item in value.values() if isinstance(value, CommentedMap) else value:
            _in_block_style(item)
    return value
