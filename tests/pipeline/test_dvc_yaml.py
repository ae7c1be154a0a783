"""`dvc.yaml` against the code and the parameters: nothing that decides a stage's bytes may be missing from it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.made import METHOD, ROOT
from vireid.datasets import data_sets
from vireid.methods import method_names

PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
PARAMS = YAML(typ="safe").load(ROOT / "params.yaml")
STAGES = PIPELINE["stages"]

# Every data set's file, of which a stage needs that of its own layout. Two stages take its protocols alone: how
# images are listed cannot move their results, and what the file imports for that is not followed.
DATA_SETS = {layout: f"src/vireid/datasets/{layout}.py" for layout in data_sets()}
READ_PROTOCOLS = ("evaluate", "figures")

# Code that cannot move a result: parameters are tracked by value, the registry only names files, checks let pass
# or refuse, and the others are messages, progress bars and how a command stands in the user's environment.
UNTRACKED_CODE = (
    "src/vireid/checks.py",
    "src/vireid/data/identities.py",
    "src/vireid/params.py",
    "src/vireid/methods/__init__.py",
    "src/vireid/support/errors.py",
    "src/vireid/support/refusals.py",
    "src/vireid/support/surroundings.py",
    "src/vireid/support/progress.py",
    "src/vireid/support/yaml_files.py",
)
# Parameters that cannot move a result, or whose effect is another parameter's value.
UNTRACKED_PARAMS = {"compute.workers", "compute.image_memory", "compute.save_every", "recipe", "schedule"}


def imported_files(path: Path) -> Iterator[Path]:
    """Yield the files of our own that a file imports, function bodies included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("vireid"):
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("vireid")]
        else:
            continue
        for name in names:
            module = ROOT / "src" / name.replace(".", "/")
            yield from (file for file in (module.with_suffix(".py"), module / "__init__.py") if file.is_file())


def import_closure(*starts: Path, protocols_only: bool = False) -> set[str]:
    """Names of all non-empty files that are reached from some files by imports, not through untracked code.

    Args:
        starts: The files.
        protocols_only: From a data set's file, follow only imports of other data sets' files and of protocols.
    """
    seen, waiting = set(), list(starts)
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            if path in starts or not path.is_relative_to(ROOT) or _name(path) not in UNTRACKED_CODE:
                waiting.extend(
                    file
                    for file in imported_files(path)
                    if not protocols_only or _name(path) not in DATA_SETS.values() or file.parent == path.parent
                )
    return {_name(path) for path in seen if path.is_relative_to(ROOT) and path.stat().st_size}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def leaves(values: dict, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def is_below(name: str, parents: list[str]) -> bool:
    return any(name == parent or name.startswith(parent.rstrip("/") + "/") for parent in parents)


def room(method: str) -> str:
    """Folder of what only one method uses."""
    return f"src/vireid/methods/{method}"


def deps_of(stage: str, method: str, layout: str = PARAMS["dataset"]["layout"]) -> list[str]:
    return [dep.replace("${method}", method).replace("${dataset.layout}", layout) for dep in STAGES[stage]["deps"]]


def files_in(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def untracked_imports(stage: str, deps: list[str], method: str) -> set[str]:
    """Code that a stage imports, but that is not among its dependencies."""
    starts = [ROOT / dep for dep in deps if dep.endswith(".py")]
    assert ROOT / f"stages/{stage}.py" in starts
    starts += files_in(room(method)) if room(method) in deps else []
    needed = import_closure(*starts, protocols_only=stage in READ_PROTOCOLS) - {*UNTRACKED_CODE}
    return {name for name in needed if not is_below(name, deps)}


@pytest.mark.parametrize("method", method_names())
@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_all_the_code_it_imports(stage, method):
    assert untracked_imports(stage, deps_of(stage, method), method) == set()


@pytest.mark.parametrize("layout", DATA_SETS)
@pytest.mark.parametrize("stage", ["ingest", *READ_PROTOCOLS])
def test_stage_depends_on_the_file_of_its_own_data_set_alone(stage, layout):
    deps = deps_of(stage, METHOD, layout)
    assert untracked_imports(stage, deps, METHOD) == set()
    assert [other for other, file in DATA_SETS.items() if is_below(file, deps)] == [layout]


@pytest.mark.parametrize("stage", READ_PROTOCOLS)
def test_how_images_are_listed_and_decoded_reruns_no_evaluation(stage):
    listing = import_closure(*(ROOT / file for file in DATA_SETS.values()), ROOT / "src/vireid/data/decode.py")
    helpers = {name for name in listing if name.startswith("src/vireid/data/")} - {"src/vireid/data/records.py"}
    assert {"src/vireid/data/tree.py", "src/vireid/data/lists.py", "src/vireid/data/decode.py"} <= helpers
    assert [name for name in sorted(helpers) if is_below(name, deps_of(stage, METHOD))] == []


@pytest.mark.parametrize("stage", STAGES)
def test_stage_depends_on_no_code_it_does_not_use(stage):
    deps = {dep for method in method_names() for dep in deps_of(stage, method)}
    starts = [ROOT / dep for dep in deps if dep.endswith(".py")]
    starts += [path for method in method_names() if room(method) in deps for path in files_in(room(method))]
    used = import_closure(*starts)
    code = [dep for dep in deps if dep.startswith(("src/", "stages/"))]
    assert [dep for dep in code if not any(is_below(name, [dep]) for name in used)] == []


@pytest.mark.parametrize("stage", ["train", "extract"])
@pytest.mark.parametrize("method", method_names())
def test_stage_depends_on_the_room_of_its_own_method_alone(stage, method):
    reran_by = {other for other in method_names() if is_below(f"{room(other)}/method.py", deps_of(stage, method))}
    assert reran_by == {method}


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage not in ("check", "train", "extract")])
def test_no_other_stage_but_the_check_depends_on_any_method(stage):
    """The check's result is always the same, so it makes nothing else run."""
    assert not [name for name in deps_of(stage, METHOD) if name.startswith("src/vireid/methods")]


@pytest.mark.parametrize("method", method_names())
def test_no_method_reaches_the_room_of_another_one(method):
    assert rooms_reached(*files_in(room(method))) == {method}


def test_code_that_methods_share_reaches_no_room():
    shared = [path for folder in ("backbones", "losses", "training") for path in files_in(f"src/vireid/{folder}")]
    assert rooms_reached(*shared, ROOT / "src/vireid/methods/base.py", *files_in("stages")) == set()


@pytest.mark.parametrize(
    "line",
    [
        "from vireid.methods.fprnet.fusion import fuse",
        "from vireid.methods.fprnet import fusion",
        "import vireid.methods.fprnet.fusion",
        "def late():\n    from vireid.methods.fprnet.fusion import fuse",
    ],
)
def test_an_import_from_another_room_would_be_seen(tmp_path, line):
    (tmp_path / "method.py").write_text(line + "\n")
    assert rooms_reached(tmp_path / "method.py") == {"fprnet"}


def rooms_reached(*starts: Path) -> set[str]:
    """Methods whose room is reached from some files by imports."""
    reached = import_closure(*starts)
    return {method for method in method_names() if any(is_below(name, [room(method)]) for name in reached)}


@pytest.mark.parametrize("stage", ["ingest", "superresolve", "train"])
def test_evaluator_never_retrains(stage):
    assert not [name for name in STAGES[stage]["deps"] if "retrieval" in name or "reporting" in name]


def test_every_parameter_is_listed_by_a_stage():
    listed = [key for name, stage in STAGES.items() if name != "check" for key in stage["params"]]
    unlisted = {key for key in leaves(PARAMS) if not any(key == p or key.startswith(f"{p}.") for p in listed)}
    assert unlisted == UNTRACKED_PARAMS


def test_every_listed_parameter_exists():
    sections = {key.rsplit(".", depth)[0] for key in leaves(PARAMS) for depth in range(4)}
    listed = [key for name, stage in STAGES.items() if name != "check" for key in stage["params"]]
    assert [key for key in listed if key not in sections] == []


def test_check_reads_all_parameters_and_comes_before_everything():
    assert STAGES["check"]["params"] == [{"params.yaml": None}]
    assert STAGES["check"]["outs"] == ["artifacts/checked"]
    assert "artifacts/checked" in STAGES["ingest"]["deps"]


def test_check_needs_neither_the_data_nor_a_methods_file():
    # DVC refuses a dependency that is missing with a message of its own, and walks a data set to hash it.
    assert [dep for dep in STAGES["check"]["deps"] if "$" in dep] == []


def test_outs_keep_the_run_cache():
    # `cache: false` or `persist` under `outs` switches the run cache off for the whole stage.
    assert [out for stage in STAGES.values() for out in stage.get("outs", []) if not isinstance(out, str)] == []
