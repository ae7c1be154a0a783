"""`vireid preset`: merge small commented YAML files from `conf/` into `params.yaml`."""

from pathlib import Path
from typing import Annotated

import typer

from vireid.layers import GROUPS
from vireid.support.errors import UserError, reports_errors


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

    from vireid.layers import flat
    from vireid.methods import check_recipe
    from vireid.params import Params, check_section, load_params
    from vireid.presets import apply_presets
    from vireid.support.files import replacing

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    chosen = _parse(choices)
    load_params(params)
    values = yaml.load(params)
    before = flat(values)
    apply_presets(values, chosen, conf)
    merged = check_section(
        Params, values, f"{params} with {' '.join(choices)}", remedy="correct the preset in conf/"
    )
    check_recipe(merged.method, merged.model, merged.loss, merged.train)
    with replacing(params) as partial:
        yaml.dump(values, partial)
    after = flat(values)
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            typer.echo(f"{key}: {before.get(key, '(none)')} -> {after.get(key, '(none)')}")


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
