"""`vireid preset`: merge small commented YAML files from `conf/` into `params.yaml`."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vireid.layers import GROUPS
from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from ruamel.yaml.comments import CommentedMap

    from vireid.layers import Composition
    from vireid.params import Params

ROOT = "dataset.root"
CHOICES = typer.Argument(metavar="[GROUP=NAME...]", help="For example method=baseline; without any, list them.")
DRY = typer.Option("--dry", help="Print what would change, and write nothing.")
EXPLAIN = typer.Option("--explain", help="Say for every value which file sets it.")
NONE = "(none)"


@reports_errors
def preset(
    choices: Annotated[list[str] | None, CHOICES] = None,
    dry: Annotated[bool, DRY] = False,
    explain: Annotated[bool, EXPLAIN] = False,
    params: Annotated[Path, typer.Option(help="The parameters file to change.")] = Path("params.yaml"),
    conf: Annotated[Path, typer.Option(help="The folder of presets.")] = Path("conf"),
) -> None:
    """Merge presets into params.yaml, keeping its comments; without a choice, list the presets there are.

    The groups are dataset, schedule, method and superresolve; conf/<group>/<name>.yaml holds the presets of each.
    Parameters are composed from layers, a later one winning: conf/base.yaml, the schedule, the data set, the
    method, the method's part for the schedule, superresolve. Each change is printed with the file that decides it.

    A method brings its own recipe for the schedule in force, and a schedule that of the method in force. A method
    can have several presets, as fprnet has fprnet_release; params.yaml keeps the one in force under recipe.

    dataset.root=PATH sets the data set's folder, lists what it holds, and lowers what cannot work with so few
    identities: held-out ones, those of a batch, SRCNN's camera. Each change is printed with its reason.

    Examples: vireid preset dataset=manifest dataset.root=/my/images method=baseline

    vireid preset --explain
    """
    from vireid.layers import compose, flat
    from vireid.methods import check_recipe
    from vireid.params import Params, check_section, load_params
    from vireid.presets import apply_presets, differences, presets_in_force, put
    from vireid.support.yaml_files import read_yaml, write_yaml

    load_params(params)
    values = read_yaml(params, with_comments=True)
    if not choices:
        if explain:
            _explain(values, compose(conf, presets_in_force(values, conf)), params)
        else:
            _list(values, conf)
        return
    chosen = _parse(choices)
    root = chosen.pop(ROOT, None)
    before = flat(values)
    composition = apply_presets(values, chosen, conf)
    if root is not None:
        put(values, ROOT, _as_dvc_reads_it(root))
    where, remedy = f"{params} with {' '.join(choices)}", "correct the preset in conf/"
    merged = check_section(Params, values, where, remedy)
    reasons = {ROOT: "as given", **_fit(values, merged)} if root is not None else {}
    merged = check_section(Params, values, where, remedy)
    check_recipe(merged)
    if not dry:
        write_yaml(params, values)
    _print_changes(before, flat(values), {**composition.origins, **reasons})
    for key, preset_value in differences(values, composition).items():
        if key not in reasons:
            typer.echo(f"kept as edited: {key}: {flat(values)[key]}  ({preset_value})")
    if explain:
        _explain(values, composition, params)
    if dry:
        typer.echo("nothing was written (--dry)")


def _print_changes(before: Mapping[str, Any], after: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
    """Print a line for each key whose value changed, with the file that decides it or another reason."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, NONE), after.get(key, NONE)
        if old != new:
            typer.echo(f"{key}: {old} -> {new}  ({reasons.get(key, 'not a key of this method')})")


def _explain(values: Mapping[str, Any], composition: "Composition", params: Path) -> None:
    """Print every value with the layer that sets it; what differs from the layers was edited by hand."""
    from vireid.layers import flat
    from vireid.presets import differences
    from vireid.support.tables import Column, print_table

    edited = differences(values, composition)
    rows = []
    for key, value in flat(values).items():
        layer = f"{params}; {edited[key]}" if key in edited else composition.origins.get(key, str(params))
        rows.append([key, layer, str(value)])
    print_table("Every value and the file that sets it", [Column("key"), Column("set by"), Column("value")], rows)


def _parse(choices: list[str]) -> dict[str, str]:
    chosen = {}
    for choice in choices:
        group, equals, name = choice.partition("=")
        if not equals or group not in (*GROUPS, ROOT):
            raise UserError(
                "vireid preset",
                "not a choice of a preset",
                expected=f"GROUP=NAME with a group of {', '.join(GROUPS)}; or {ROOT}=PATH",
                found=choice,
                remedy="for example: vireid preset method=baseline schedule=paper",
            )
        chosen[group] = name
    return chosen


def _list(values: "CommentedMap", conf: Path) -> None:
    """Print every preset with the first line of its file, and mark those in force."""
    from vireid.presets import described, presets_in_force

    current = presets_in_force(values, conf)
    for group in GROUPS:
        presets = described(conf, group)
        typer.echo(group)
        width = max(map(len, presets))
        for name, line in presets.items():
            typer.echo(f"  {'*' if name == current.get(group) else ' '} {name:{width}}  {line}")
    typer.echo("* in force. Choose others: vireid preset GROUP=NAME... (--dry shows what would change)")


def _as_dvc_reads_it(root: str) -> str:
    """Write a folder relative to the project where it is inside, else absolute, as experiments in copies need."""
    path = Path(os.path.expanduser(root)).absolute()  # noqa: PTH111 Path's raises for an unknown user
    if not path.is_dir():
        found = "a file" if path.exists() else "nothing"
        raise UserError(
            ROOT, "there is no such folder", expected=f"a folder {path}", found=found, remedy="correct the path"
        )
    inside = path.is_relative_to(Path.cwd()) and path != Path.cwd()
    return os.path.normpath(path.relative_to(Path.cwd()) if inside else path)


def _fit(values: "CommentedMap", params: "Params") -> Mapping[str, str]:
    """Put values that fit the data set in place, say what else would be refused, and return the reasons."""
    from vireid.checks import notes, problems
    from vireid.datasets.find import find_images
    from vireid.params import Params, check_section
    from vireid.presets import put
    from vireid.proposals import proposals

    images = find_images(params.dataset)
    proposed = proposals(params, images)
    for key, (value, _) in proposed.items():
        put(values, key, value)
    fitted = check_section(Params, values, "the proposed values", remedy="report this: they should be sound")
    wrong = problems(fitted, images)
    for error in wrong:
        typer.echo(f"warning: {error}", err=True)
    for note in [] if wrong else notes(fitted, images):
        typer.echo(f"note: {note}", err=True)
    return {key: reason for key, (_, reason) in proposed.items()}
