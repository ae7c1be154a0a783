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

from vireid.datasets import data_sets
from vireid.experiments.plan import Plan
from vireid.layers import flat

_FREE = ("seed", "dataset.trial", "compute", "figures", "evaluate.protocols", "evaluate.ranks")


def differing(params: Mapping[str, Any], plan: Plan, row: str) -> dict[str, tuple[Any, Any]]:
    """Find what keeps a run with these parameters, by dotted key, from being one of a row of the plan.

    Returns:
        Key -> (the run's value, the row's), None where one has no such key; empty for a run of the row.
    """
    expected = flat(plan.settings[row])
    free = _free(params, expected, plain=plan.grid.rows[row].result is None)
    different = {
        key: (params.get(key), expected.get(key))
        for key in sorted(params.keys() | expected.keys())
        if params.get(key) != expected.get(key) and not f"{key}.".startswith(free)
    }
    needed = {"evaluate.protocols": expected["evaluate.protocols"], "evaluate.ranks": plan.grid.ranks}
    return different | {
        key: (params.get(key), values) for key, values in needed.items() if not _holds(params.get(key), values)
    }


def _free(params: Mapping[str, Any], expected: Mapping[str, Any], plain: bool) -> tuple[str, ...]:
    """Say what may differ: the beginnings of such keys, each up to a dot."""
    free = [*_FREE, "evaluate.rerank", "evaluate.reranking"] if plain else [*_FREE]
    known, layouts = data_sets(), (params.get("dataset.layout"), expected["dataset.layout"])
    if not any(layout in known and known[layout].is_described for layout in layouts):
        free.append("dataset.root")
    if not (params.get("superresolve.enabled") and expected["superresolve.enabled"]):
        free += [
            key
            for key in params.keys() | expected.keys()
            if key.startswith("superresolve.") and key != "superresolve.enabled"
        ]
    return tuple(f"{part}." for part in free)


def _holds(reported: Any, needed: Sequence[Any]) -> bool:
    """Whether all that is needed is in a list; a failed run may have anything in its place."""
    return isinstance(reported, list) and all(item in reported for item in needed)
