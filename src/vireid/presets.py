"""Presets put into parameters: what the layers in `conf/` decide, without losing what was edited by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from vireid.layers import Composition, compose, decided_keys

# Their keys depend on the method, so a method replaces them whole.
_OF_METHOD = ("model", "loss")


def apply_presets(values: CommentedMap, chosen: Mapping[str, str], conf: Path) -> Composition:
    """Put presets into parameters, in place and with their comments kept.

    All parameters are composed anew from the presets in force. Then only those keys are written that a preset of a
    chosen group decides. So what the former choice had set is gone, and what no such preset speaks of stays: the
    folder of the data set when a method is chosen.

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
    composition = compose(conf, presets_in_force(values) | chosen)
    keys = {key for group in chosen for key in decided_keys(conf, group)}
    if "method" in chosen:
        keys = {key for key in keys if key.split(".")[0] not in _OF_METHOD} | {*_OF_METHOD, "recipe"}
    for key in sorted(keys):
        _set(values, key.split("."), composition.values)
    return composition


def presets_in_force(values: Mapping[str, Any]) -> dict[str, str]:
    """Say which presets parameters were made from, as far as they tell: SRCNN's recipe has no name in them."""
    return {"schedule": values["schedule"], "dataset": values["dataset"]["name"], "method": values["recipe"]}


def _set(values: CommentedMap, path: list[str], source: Mapping[str, Any]) -> None:
    *sections, last = path
    for section in sections:
        values, source = values[section], source[section]
    values[last] = _in_block_style(source[last])
    _close_up_comment(values, last)


def _in_block_style(value: Any) -> Any:
    """Write lists and mappings line by line, as `dvc exp run -S` does when it changes a value."""
    if isinstance(value, CommentedSeq | CommentedMap):
        value.fa.set_block_style()
        for item in value.values() if isinstance(value, CommentedMap) else value:
            _in_block_style(item)
    return value


def _close_up_comment(values: CommentedMap, key: str) -> None:
    """Put the comment one space behind a new value, rather than in the column where the old value had it."""
    comment = values.ca.items[key][2] if key in values.ca.items else None
    if comment is not None:
        comment.column = 0
