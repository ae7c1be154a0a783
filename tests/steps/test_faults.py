"""Operations on the other stages' outputs fail; test_train_faults.py is on training. CPU, a minute.

HDF5 writes by itself: of its files only the renaming fails here, and test_hdf5.py has a full disk.
"""

import errno
import shutil

import numpy as np
import pytest

from tests.faults import counted, raises
from tests.made import tree
from vireid.data.ingest import pack_images
from vireid.datasets.find import find_images
from vireid.steps.evaluate import evaluate
from vireid.steps.extract import extract
from vireid.steps.figures import draw_run
from vireid.steps.superresolve import superresolve

pytestmark = pytest.mark.slow
MOST = 6  # operations that fail; of more, such as the parts of pictures, so many that are spread evenly


@pytest.fixture
def stages(workplace, params, images_file, model_folder, evaluation_file):
    """Stage -> its outputs in the working directory, and what writes them."""
    features = evaluation_file.with_name("features.h5")
    curves = model_folder.with_name("curves") / "plots"
    file = workplace.joinpath

    def ingest():
        pack_images(find_images(params.dataset), params.dataset, params.ingest, 1, file("images.h5"))

    return {
        "ingest": (["images.h5"], ingest),
        "superresolve": (
            (outputs := ["overlay.h5", "srcnn.safetensors", "report.json", "plots"]),
            lambda: superresolve(params, images_file, *map(file, outputs)),
        ),
        "extract": (["features.h5"], lambda: extract(params, images_file, model_folder, file("features.h5"))),
        "evaluate": (
            (tables := ["metrics.json", "evaluation.json", "cmc.csv"]),
            lambda: evaluate(params, features, *map(file, tables)),
        ),
        "figures": (["figures"], lambda: draw_run(params, features, images_file, curves, file("figures"))),
    }


@pytest.mark.parametrize("name", ["ingest", "superresolve", "extract", "evaluate", "figures"])
def test_whatever_fails_nothing_is_half_written_and_the_next_run_ends_in_the_same_bits(stages, workplace, name):
    outputs, run = stages[name]
    with counted(workplace, outputs, None, None) as done:
        run()
    expected, operations = tree(workplace), len(done)
    assert {file.split("/")[0] for file in expected} == set(outputs)
    assert operations >= len(outputs)
    for number in np.unique(np.linspace(1, operations, min(operations, MOST)).round().astype(int)):
        empty(workplace)
        with counted(workplace, outputs, number, raises(errno.ENOSPC)), pytest.raises(OSError, match="No space"):
            run()
        for output in outputs:
            left = {file: content for file, content in tree(workplace).items() if file.split("/")[0] == output}
            assert left in ({}, {file: c for file, c in expected.items() if file.split("/")[0] == output}), number
        run()
        assert tree(workplace) == expected, number


def empty(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
