"""Every write, renaming and flush of a training's state and model fails once. CPU, a minute."""

import builtins
import errno
import io
import os
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.made import tiny_params, tree
from vireid.steps.train import train

pytestmark = pytest.mark.slow
CHANGES = {"train__epochs": 1, "train__steps_per_epoch": 2, "compute__save_every": 1}
WATCHED = (".ckpt", "model")  # what the project writes; the curves are written by dvclive


class _Faulty:
    """A file whose writes are counted; the one that fails has written half of what it should."""

    def __init__(self, file, count):
        self._file, self._count = file, count

    def write(self, content):
        self._count(lambda: self._file.write(content[: len(content) // 2]))
        return self._file.write(content)

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *error):
        return self._file.__exit__(*error)


@contextmanager
def counted(folder, number, fail):
    """Count the operations on watched files, and let one fail; yields their list."""
    done = []
    real_open, real_replace, real_fsync = builtins.open, os.replace, os.fsync

    def count(before_failure=lambda: None):
        done.append(len(done) + 1)
        if len(done) == number:
            before_failure()
            fail()

    def is_watched(path):
        if isinstance(path, int):
            return False
        parts = Path(os.fsdecode(path)).absolute().parts[len(folder.parts) :]
        return bool(parts) and parts[0].removesuffix(".partial") in WATCHED

    def faulty_open(path, mode="r", *arguments, **options):
        file = real_open(path, mode, *arguments, **options)
        return _Faulty(file, count) if "w" in mode and is_watched(path) else file

    def faulty_replace(source, target, **options):
        if is_watched(target):
            count()
        return real_replace(source, target, **options)

    def faulty_fsync(handle):
        count()
        return real_fsync(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "open", faulty_open)
        patch.setattr(io, "open", faulty_open)
        patch.setattr(os, "replace", faulty_replace)
        patch.setattr(os, "fsync", faulty_fsync)
        yield done


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


def raises(code):
    def fail():
        raise OSError(code, os.strerror(code))

    return fail


def is_killed(start, folder, number):
    """Run in a process of its own that is killed at an operation."""
    process = os.fork()
    if process == 0:
        with counted(folder, number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            start()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


@pytest.mark.parametrize("kind", ["error", "kill"])
def test_whatever_fails_nothing_is_half_written_and_the_next_run_ends_in_the_same_bits(start, workplace, kind):
    with counted(workplace, None, None) as done:
        start()
    expected, operations = results(workplace), len(done)
    assert operations >= 4 + 5 + 3  # of the first state, of the second, and at least those of the model
    for number in range(1, operations + 1):
        begin_anew(workplace)
        if kind == "kill":
            is_killed(start, workplace, number)
        else:
            code = (errno.ENOSPC, errno.EIO)[number % 2]
            with counted(workplace, number, raises(code)), pytest.raises(OSError, match=os.strerror(code)):
                start()
        if (workplace / "model").exists():
            assert tree(workplace / "model") == {n: v for n, v in expected.items() if not n.startswith("curves/")}
        start()
        assert results(workplace) == expected, number
        left = [path.name for path in workplace.iterdir()]
        assert not [name for name in left if name.endswith(".partial")]
