"""Faults of a disk: a write or renaming of watched files fails, or any flush."""

import builtins
import io
import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest


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
def counted(folder, watched, number, fail):
    """Count the writes, renamings and flushes of what is watched, and let one fail; yields their list.

    Args:
        folder: Where it is.
        watched: Names in the folder, of files or folders.
        number: Which operation fails, from 1; none without it.
        fail: Called instead of it.
    """
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
        return bool(parts) and parts[0].removesuffix(".partial") in watched

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


def raises(code):
    def fail():
        raise OSError(code, os.strerror(code))

    return fail


def is_killed(start, folder, watched, number):
    """Run in a process of its own that is killed at an operation."""
    process = os.fork()
    if process == 0:
        with counted(folder, watched, number, lambda: os.kill(os.getpid(), signal.SIGKILL)):
            start()
        os._exit(0)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL
