"""The `vireid` command: everything around the pipeline; the stages themselves are run by `dvc repro`."""

from importlib.metadata import version
from typing import Annotated

import typer

from vireid.commands.compare_losses import compare_losses
from vireid.commands.convert import convert
from vireid.commands.evaluate import evaluate
from vireid.commands.experiments import experiments
from vireid.commands.explain import explain
from vireid.commands.export import export
from vireid.commands.inspect import inspect
from vireid.commands.manifest import manifest
from vireid.commands.new_method import new_method
from vireid.commands.preset import preset
from vireid.commands.restore import restore
from vireid.commands.results import results
from vireid.commands.search import search
from vireid.commands.synthesize import contact_sheet, synthesize
from vireid.commands.table import table
from vireid.commands.yardsticks import yardsticks

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _print_versions(asked: bool) -> None:
    if asked:
        typer.echo(f"vireid {version('vireid')} (torch {version('torch')}, dvc {version('dvc')})")
        raise typer.Exit


VERSION = typer.Option("--version", callback=_print_versions, is_eager=True, help="Show the version and exit.")


@app.callback()
def main(asked: Annotated[bool, VERSION] = False) -> None:
    """Visible-infrared person re-identification as a DVC pipeline. Run it with `dvc repro`."""


app.command("synthesize")(synthesize)
app.command("contact-sheet")(contact_sheet)
app.command("inspect")(inspect)
app.command("manifest")(manifest)
app.command("preset")(preset)
app.command("new-method")(new_method)
app.command("restore")(restore)
app.command("results")(results)
app.command("yardsticks")(yardsticks)
app.command("evaluate")(evaluate)
app.command("convert")(convert)
app.command("search")(search)
app.command("explain")(explain)
app.command("export")(export)
app.command("compare-losses")(compare_losses)
app.command("experiments")(experiments)
app.command("table")(table)
