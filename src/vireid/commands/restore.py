"""`vireid restore`: the parameters, outputs and results of a saved run, without running anything."""

from typing import TYPE_CHECKING, Annotated

import typer

from vireid.support.errors import UserError, reports_errors

if TYPE_CHECKING:
    from vireid.experiments.saved import SavedRun

NAME = typer.Argument(help="An experiment or a commit; without it the last run whose outputs are in the cache.")
_SHOWN = 5  # outputs that are named
_FROM_CACHE = (
    "`git checkout params.yaml && make repro` makes the last commit's run here; what this machine has run before "
    "comes from its cache"
)


@reports_errors
def restore(name: Annotated[str, NAME] = "") -> None:
    """Bring params.yaml, dvc.lock, artifacts and results of a saved run back, without running anything.

    That is the last commit's run, where this machine's cache has its outputs; else, as after cloning a run that
    was made on another machine, the newest experiment or earlier commit whose outputs are there. Nothing is
    changed unless all of a run's outputs can be brought back. A run by `dvc repro` that is in no commit and no
    experiment is replaced only by the last commit's run, or by one that is named.

    Example: vireid restore
    """
    from vireid.experiments.restoring import bring_back
    from vireid.experiments.saved import head, missing_outputs, named

    last = head()
    if name:
        run = named(name)
        missing = missing_outputs(run)
        if missing:
            raise _not_here(name, missing)
    else:
        missing = missing_outputs(last)
        run = _another(missing) if missing else last
        if missing:
            typer.echo(f"HEAD cannot be restored: {_listed(missing)} not in this machine's cache")
            typer.echo(f"({_FROM_CACHE})")
    bring_back(run)
    typer.echo(f"restored: {run.name} ({run.revision[:7]})")


def _another(missing: list[str]) -> "SavedRun":
    """Find the newest run whose outputs are here, unless the workspace holds one that nothing else keeps."""
    from vireid.experiments.restoring import is_unsaved
    from vireid.experiments.saved import commits, experiments, head, missing_outputs

    others = [*experiments(), *commits()]
    run = next((other for other in others if not missing_outputs(other)), None)
    if run is None:
        raise _not_here("HEAD", missing)
    if is_unsaved([head(), *others]):
        raise UserError(
            "vireid restore",
            "the last commit's run was made on another machine, and yours is in no commit and no experiment",
            expected="a run to go back to: HEAD's outputs in this machine's cache, or a saved run of your own",
            found=f"{_listed(missing)} not in the cache, and a dvc.lock of yours; nothing was changed",
            remedy="keep your run (`git add dvc.lock params.yaml results && git commit`, or `dvc exp save --name "
            f"mine`), or go to another: `vireid restore {run.name}`; {_FROM_CACHE}",
        )
    return run


def _not_here(name: str, missing: list[str]) -> UserError:
    return UserError(
        "vireid restore",
        f"the outputs of {name} are not on this machine",
        expected="a run whose outputs are all in this machine's cache",
        found=f"{_listed(missing)} not in the cache; nothing was changed",
        remedy=_FROM_CACHE,
    )


def _listed(missing: list[str]) -> str:
    more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
    return ", ".join(missing[:_SHOWN]) + more
