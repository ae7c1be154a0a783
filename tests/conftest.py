"""A tiny data set, its parameters and what the first two stages make of them, once per session; one core."""

import os
from pathlib import Path

import pytest
import torch

from tests.made import draw_dataset, write_params

os.environ["DVC_NO_ANALYTICS"] = "1"
# Where the suite runs decides neither widths nor colours; a test that needs one of these sets it.
for name in (
    "COLUMNS",
    "LINES",
    "FORCE_COLOR",
    "NO_COLOR",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
    "GITHUB_ACTIONS",
    "PY_COLORS",
):
    os.environ.pop(name, None)


def pytest_collection_modifyitems(items):
    """Put whole pipelines, the longest tests, first: at the end no process waits for the other's last one."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


@pytest.fixture(autouse=True, scope="session")
def _one_core():
    """The processes of the suite share the cores: none takes more than one, nor do commands that take all."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def dataset(tmp_path_factory) -> Path:
    """Root of a data set of 10 + 2 training and 2 test identities; not to be changed."""
    return draw_dataset(tmp_path_factory.mktemp("dataset") / "data")


@pytest.fixture(scope="session")
def params_file(tmp_path_factory, dataset) -> Path:
    """Tiny parameters for the data set; not to be changed."""
    return write_params(tmp_path_factory.mktemp("params") / "params.yaml", dataset)


@pytest.fixture(scope="session")
def params(params_file):
    """What is in `params_file`, checked."""
    from vireid.params import load_params

    return load_params(params_file)


@pytest.fixture(scope="session")
def images_file(tmp_path_factory, params) -> Path:
    """The packed images."""
    from vireid.data.ingest import pack_images
    from vireid.datasets.find import find_images

    path = tmp_path_factory.mktemp("packed") / "images.h5"
    pack_images(find_images(params.dataset), params.dataset, params.ingest, 1, path)
    return path


@pytest.fixture(scope="session")
def overlay_file(images_file, params) -> Path:
    """The overlay of super-resolved images of camera 1; its weights lie beside it."""
    from vireid.steps.superresolve import superresolve

    path = images_file.with_name("superresolved.h5")
    folder = path.parent
    superresolve(params, images_file, path, folder / "srcnn.safetensors", folder / "report.json", folder / "plots")
    return path


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory, params, images_file, overlay_file) -> Path:
    """A model trained for two tiny epochs; not to be changed."""
    from vireid.steps.train import train

    folder = tmp_path_factory.mktemp("trained")
    root = os.environ.get("DVC_ROOT")
    os.environ["DVC_ROOT"] = str(folder)
    try:
        train(params, images_file, overlay_file, folder / "model", folder / "curves")
    finally:
        del os.environ["DVC_ROOT"]
        if root is not None:
            os.environ["DVC_ROOT"] = root
    return folder / "model"


@pytest.fixture(scope="session")
def evaluation_file(tmp_path_factory, params, images_file, model_folder) -> Path:
    """`evaluation.json` of that model; not to be changed."""
    from vireid.steps.evaluate import evaluate
    from vireid.steps.extract import extract

    folder = tmp_path_factory.mktemp("evaluated")
    extract(params, images_file, model_folder, folder / "features.h5")
    evaluate(params, folder / "features.h5", *(folder / n for n in ("metrics.json", "evaluation.json", "cmc.csv")))
    return folder / "evaluation.json"


@pytest.fixture
def workplace(tmp_path, monkeypatch) -> Path:
    """An empty project folder that is the working directory, and where resume points are kept."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    return tmp_path
