"""Whether parameters are those of a row: a run with them is then one of the row's, whatever it is called.

All that decides the row's numbers must agree, what the row dictates as well as what it takes from `params.yaml`:
a run with `extract.flip=true` is no repetition of a row without. Seed and trial tell repetitions apart, and are
free. So is what leaves the numbers alone, or changes no more than their rounding:

- `compute` and `figures`, and where the data set lies (but a manifest's folder is all that tells which it is);
- how SRCNN is trained, where it is off;
- which protocols and ranks are reported, as long as the plan's protocols and the table's columns are among them;
- re-ranking, for a row that reads the plain numbers: they are the same with it and without.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vireid.experiments.plan import Plan
from vireid.presets import flat

_FREE = ("seed", "dataset.trial", "compute", "figures", "evaluate.protocols", "evaluate.ranks")


def is_run_of(params: Mapping[str, Any], plan: Plan, row: str) -> bool:
    """Whether a run with these parameters, by dotted key, is one of a row of the plan."""
    expected, plain = flat(plan.settings[row]), plan.grid.rows[row].result is None
    return (
        _deciding(params, plain) == _deciding(expected, plain)
        and _holds(params.get("evaluate.protocols"), expected["evaluate.protocols"])
        and _holds(params.get("evaluate.ranks"), plan.grid.ranks)
    )


def _deciding(params: Mapping[str, Any], plain: bool) -> dict[str, Any]:
    """Leave out what is free."""
    free = [*_FREE, "evaluate.rerank", "evaluate.reranking"] if plain else [*_FREE]
    if params.get("dataset.layout") != "manifest":
        free.append("dataset.root")
    if not params.get("superresolve.enabled"):
        free += [key for key in params if key.startswith("superresolve.") and key != "superresolve.enabled"]
    return {
        key: value
        for key, value in params.items()
        if not any(key == part or key.startswith(f"{part}.") for part in free)
    }


def _holds(reported: Any, needed: Sequence[Any]) -> bool:
    """Whether all that is needed is in a list; a failed run may have anything in its place."""
    return isinstance(reported, list) and all(item in reported for item in needed)
