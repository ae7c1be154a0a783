"""`vireid results`: rank-1 and mAP of the workspace, the last commit and the experiments."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from vireid.support.errors import reports_errors

PROTOCOL = typer.Option(help="Only protocols whose name holds this.")
Scores = dict[str, tuple[float, float]]


@reports_errors
def results(protocol: Annotated[str, PROTOCOL] = "") -> None:
    """Print rank-1 and mAP (percent) of the workspace, the last commit and every experiment, by protocol.

    Reads results/metrics.json of each, as Git keeps it. A run whose numbers are those of the commit that it
    started from is marked: it changed nothing, or did not reach evaluate.

    Example: vireid results --protocol all_search/single_shot
    """
    from rich.console import Console

    from vireid.experiments.saved import SavedRun, experiments, head

    file = "results/metrics.json"
    last = head()
    here = Path(file)
    runs: dict[str, Scores] = {"workspace": _scores(here.read_bytes() if here.is_file() else None)}
    runs["HEAD"] = _scores(last.file(file))
    for run in experiments():
        content = run.file(file)
        same = content == SavedRun("base", run.base).file(file)
        runs[f"{run.name} (as its base)" if same else run.name] = _scores(content)
    names = list(dict.fromkeys(name for scores in runs.values() for name in scores if protocol in name))
    for name in names:
        _print(Console(), name, {run: scores[name] for run, scores in runs.items() if name in scores})
    if not names:
        typer.echo(f"no result{f' of a protocol with {protocol}' if protocol else ''}: run `dvc repro`")


def _scores(content: bytes | None) -> Scores:
    """Read rank-1 and mAP by protocol; a file that is missing has none."""
    return dict(_leaves(json.loads(content))) if content else {}


def _leaves(values: Mapping[str, Any], name: str = "") -> Iterator[tuple[str, tuple[float, float]]]:
    if "mAP" in values and "rank1" in values:
        yield name, (values["rank1"], values["mAP"])
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{name}/{key}" if name else key)


def _print(console: Any, name: str, scores: Mapping[str, tuple[float, float]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    console.print(Text(name, style="bold"), soft_wrap=True)
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("run", overflow="fold")
    for heading in ("rank-1", "mAP"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=6)
    for run, values in scores.items():
        table.add_row(Text(run), *(f"{value:.2f}" for value in values))
    console.print(table)
