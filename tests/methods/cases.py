"""The cases of the contract tests: every method by each of its recipes, tiny; no method is named here."""

from tests.made import CONF, recipe_of, tiny_of
from vireid.layers import preset_names

NUM_PIDS = 4
# From the smallest on.
SCHEDULES = sorted(preset_names(CONF, "schedule"), key=lambda name: recipe_of_first(name)["train"]["epochs"])

# Arguments of `build_method`.
Case = tuple[str, int, dict, dict]
