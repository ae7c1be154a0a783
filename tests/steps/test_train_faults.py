"""Every write, renaming and flush of a training's state and model fails once. CPU, a minute."""

import errno
import os
import shutil

import pytest

from tests.faults import counted, is_killed, raises
from tests.made import tiny_params, tree
from vireid.steps.train import train

pytestmark = pytest.mark.slow
CHANGES = {"train__epochs": 1, "train__steps_per_epoch": 2, "compute__save_every": 1}
WATCHED = (".ckpt", "model")  # what the project writes; the curves are written by dvclive


@pytest.fixture
def start(workplace, dataset, images_file, overlay_file):
    params = tiny_params(dataset, "baseline", **CHANGES)

    def run():
        train(params, images_file, overlay_file, workplace / "model", workplace / "curves")

    return run


def results(folder):
    return tree(folder / "model") | {f"curves/{name}": value for name, value in tree(folder / "curves").items()}


def begin_anew(folder):
    for name in ("model", "curves", ".ckpt"):
        shutil.rmtree(folder / name, ignore_errors=True)


@pytest.mark.parametrize("kind", [errno.ENOSPC, errno.EIO, "kill"])
def test_whatever_fails_nothing_is_half_written_and_the_next_run_ends_in_the_same_bits(start, workplace, kind):
    with counted(workplace, WATCHED, None, None) as done:
        start()
    expected, operations = results(workplace), len(done)
    # A state: two writes, two flushes, its renaming, its folder's flush; the second also renames the first. The
    # model: two writes, the renaming of its JSON, four flushes, its own renaming.
    assert operations == 6 + 7 + 8
    for number in range(1, operations + 1):
        begin_anew(workplace)
        if kind == "kill":
            is_killed(start, workplace, WATCHED, number)
        else:
            with (
                counted(workplace, WATCHED, number, raises(kind)),
                pytest.raises(OSError, match=os.strerror(kind)),
            ):
                start()
        if (workplace / "model").exists():
            assert tree(workplace / "model") == {n: v for n, v in expected.items() if not n.startswith("curves/")}
        start()
        assert results(workplace) == expected, number
        left = [path.name for path in workplace.iterdir()]
        assert not [name for name in left if name.endswith(".partial")]
