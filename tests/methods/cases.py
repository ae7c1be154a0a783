"""The cases of the contract tests: every method by each of its recipes, tiny; no method is named here."""

from tests.made import ROOT, read_yaml, tiny_of

NUM_PIDS = 4
SCHEDULES = ("quick", "demo", "paper")  # from the smallest on
PRESETS = {path.stem: read_yaml(path) for path in sorted((ROOT / "conf" / "method").glob("*.yaml"))}

# Arguments of `build_method`.
Case = tuple[str, int, dict, dict]


def different_cases() -> dict[str, Case]:
    """Every preset with every schedule, but only the first of those that are the same once they are tiny.

    A method that does not say what makes it tiny is taken as it is, by the smallest of its schedules.
    """
    cases: dict[str, Case] = {}
    for name, preset in PRESETS.items():
        method = preset["method"]
        tiny = tiny_of(method)
        recipes = preset.get("schedules") or {SCHEDULES[0]: preset}
        schedules = [schedule for schedule in SCHEDULES if schedule in recipes]
        for schedule in schedules if tiny else schedules[:1]:
            recipe = recipes[schedule]
            case = (method, NUM_PIDS, tiny(recipe["model"]) if tiny else recipe["model"], recipe["loss"])
            if case not in cases.values():
                cases[f"{name}-{schedule}"] = case
    return cases


CASES = different_cases()
