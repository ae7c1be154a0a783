"""The cases of the contract tests: every method by each of its recipes, tiny; no method is named here."""

from tests.made import CONF, recipe_of, tiny_of
from vireid.layers import preset_names
from vireid.methods import method_class
from vireid.methods.base import Method

NUM_PIDS = 4
SCHEDULES = preset_names(CONF, "schedule")
TIMM_TRUNK = "timm:test_efficientnet"  # the smallest

# Arguments of `build_method`.
Case = tuple[str, int, dict, dict]


def different_cases() -> dict[str, Case]:
    """Every preset with every schedule, but only the first of those that are the same once they are tiny.

    A method that does not say what makes it tiny is taken as it is, by the first schedule. Each method with a
    trunk is also built once on a trunk of timm.
    """
    cases: dict[str, Case] = {}
    for name in trained_presets():
        tiny = tiny_of(recipe_of(name)["method"])
        for schedule in SCHEDULES if tiny else SCHEDULES[:1]:
            recipe = recipe_of(name, schedule)
            model = tiny(recipe["model"]) if tiny else recipe["model"]
            case = (recipe["method"], NUM_PIDS, model, recipe["loss"])
            if all(built_alike(case) != built_alike(other) for other in cases.values()):
                cases[f"{name}-{schedule}"] = case
    return cases | on_timm_trunks(cases)


def built_alike(case: Case) -> Case:
    """What a case has in common with those that differ in nothing but the learning rate of the trunk."""
    method, num_pids, model, loss = case
    return method, num_pids, model | {"trunk": model.get("trunk", {}) | {"lr_factor": 1.0}}, loss


def trained_presets() -> list[str]:
    """Presets of methods that are trained by steps; fitted ones have tests of their own."""
    methods = {name: recipe_of(name)["method"] for name in preset_names(CONF, "method")}
    return [name for name, method in methods.items() if issubclass(method_class(method), Method)]


def on_timm_trunks(cases: dict[str, Case]) -> dict[str, Case]:
    """The first case of each method with a trunk, on a trunk of timm."""
    changed: dict[str, Case] = {}
    for method, num_pids, model, loss in cases.values():
        name = f"{method}-timm"
        if "trunk" in model and name not in changed:
            changed[name] = (method, num_pids, model | {"trunk": model["trunk"] | {"name": TIMM_TRUNK}}, loss)
    return changed


def first_of_each_network() -> dict[str, Case]:
    """The first case of each method, and of each network of a method that has several."""
    firsts: dict[tuple[str, str | None], tuple[str, Case]] = {}
    for name, case in CASES.items():
        method, _, model, _ = case
        firsts.setdefault((method, model.get("network")), (name, case))
    return dict(firsts.values())


CASES = different_cases()
