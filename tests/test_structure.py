"""How the code hangs together: layers, no circles between modules, no two things of one name. CPU, seconds."""

import ast
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.made import ROOT

SRC = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in SRC.rglob("*.py")
    if "scaffold" not in path.parts
}
# From the lowest on; a room, that is a package or a module beside the packages, imports none that stands after it.
ROOMS = (
    "defaults",
    "support",
    "layers",
    "params",
    "compute",
    "data",
    "datasets",
    "synthetic",
    "superresolution",
    "presets",
    "backbones",
    "losses",
    "methods",
    "training",
    "retrieval",
    "checks",
    "proposals",
    "reporting",
    "export",
    "search",
    "explanation",
    "plane",
    "experiments",
    "steps",
    "commands",
    "cli",
)
LATE = {("vireid.params", "datasets")}  # by name, while values are checked; so that params knows no data set
VAGUE = {"there", "of", "own", "some"}  # no names; `found` is one in errors alone, whose field it is


def imports(path: Path) -> set[str]:
    """Modules of the project that a module imports, inside its functions too."""
    named = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vireid"):
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return named & MODULES.keys()


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_no_module_imports_itself_through_others():
    graph = {name: imports(path) - {name} for name, path in MODULES.items()}
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_every_room_has_its_place():
    assert {room_of(name) for name in MODULES} == {"", *ROOMS}


@pytest.mark.parametrize("room", ROOMS)
def test_room_imports_only_lower_ones(room):
    higher = ROOMS[ROOMS.index(room) + 1 :]
    wrong = {
        (name, room_of(other))
        for name, path in MODULES.items()
        if room_of(name) == room
        for other in imports(path)
        if room_of(other) in higher
    }
    assert wrong <= LATE


def test_no_command_imports_another_one():
    commands = {name for name in MODULES if name.startswith("vireid.commands.")}
    helpers = {f"vireid.commands.{name}" for name in ("devices", "outputs", "rows")}
    wrong = {(n, o) for n in commands for o in imports(MODULES[n]) & commands - helpers}
    assert wrong == set()


def test_no_two_classes_have_one_name():
    places = defaultdict(set)
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].add(name)
    by_contract = {"Architecture", "Objective", "Outputs", "Classifier"}  # what every method's file has
    twins = {name: where for name, where in places.items() if len(where) > 1 and name not in by_contract}
    assert twins == {}


def test_names_say_what_things_are():
    vague = set()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in VAGUE:
                vague.add((name, node.id))
            elif isinstance(node, ast.arg) and node.arg in VAGUE:
                vague.add((name, node.arg))
            elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in VAGUE:
                vague.add((name, node.name))
    assert vague == set()
