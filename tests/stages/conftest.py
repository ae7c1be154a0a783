"""Runs a stage in a tiny project through its command line, and says how it should fail."""

import importlib.util
import shutil

import pytest
import typer
from typer.testing import CliRunner

from tests.made import METHOD, ROOT, write_params


@pytest.fixture(scope="session")
def stage():
    """Run `stages/<name>.py` with options in the working directory."""
    apps = {}

    def run(name, *options):
        if name not in apps:
            spec = importlib.util.spec_from_file_location(f"stage_{name}", ROOT / "stages" / f"{name}.py")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            apps[name] = typer.Typer()
            apps[name].command()(module.main)
        return CliRunner().invoke(apps[name], [str(option) for option in options])

    return run


@pytest.fixture(scope="session")
def fails():
    """Check that a stage has ended with one clear message, and return it."""

    def check(result, *parts):
        assert result.exit_code == 1
        assert isinstance(result.exception, SystemExit)
        assert "Traceback" not in result.output
        assert result.stderr.count("error: ") == 1
        message = result.stderr[result.stderr.index("error: ") :]
        for part in ("expected:", "found:", "remedy:", *parts):
            assert part in message
        return message

    return check


@pytest.fixture
def project(workplace, dataset, images_file, overlay_file):
    """The working directory with tiny parameters, packed images and overlay where the pipeline has them."""
    (workplace / "artifacts").mkdir()
    for path in (images_file, overlay_file):
        shutil.copy(path, workplace / "artifacts")
    write_params(workplace / "params.yaml", dataset)
    return workplace


@pytest.fixture
def change(project, dataset):
    """Write the parameters of the project anew, with dotted keys changed (`__` for the dot)."""

    def write(root=dataset, method=METHOD, **changes):
        write_params(project / "params.yaml", root, method, **changes)

    return write
