"""HDF5 files that are broken, and sound ones that cannot be read just now. CPU, seconds."""

import errno
import os
import re
import subprocess
import sys
from contextlib import contextmanager

import h5py
import numpy as np
import pytest

from vireid.data.stored_images import StoredImages
from vireid.search.gallery import read_gallery
from vireid.support import hdf5
from vireid.support.errors import UserError
from vireid.support.hdf5 import create_hdf5, open_hdf5

SCHEMA, REMEDY = "test/1", "make it again"


@pytest.fixture
def path(tmp_path):
    """A sound file of several chunks."""
    with create_hdf5(tmp_path / "mine.h5", SCHEMA, {"a": 1}) as file:
        file.create_dataset("x", data=np.arange(100_000), chunks=(10_000,))
        file.create_dataset("image", data=np.zeros((4, 2, 2, 3), np.uint8), chunks=(1, 2, 2, 3))
    return tmp_path / "mine.h5"


def read(path):
    with open_hdf5(path, SCHEMA, ["a"], REMEDY) as file:
        return file["x"][:]


def refused(path, reader=read):
    """The error of reading; its remedy never touches the file."""
    with pytest.raises(UserError) as error:
        reader(path)
    assert not re.search(r"delete|remove|\brm\b", error.value.remedy)
    return error.value


@contextmanager
def held(path, mode="a", **environment):
    """Let another program hold the file open."""
    program = "import sys, h5py; f = h5py.File(sys.argv[1], sys.argv[2]); print('open', flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, path, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | environment,
    )
    try:
        assert process.stdout.readline() == b"open\n"
        yield
    finally:
        process.communicate(b"\n")


def stored(path):
    return StoredImages(path, "image", REMEDY)


@pytest.mark.parametrize("reader", [read, read_gallery, stored])
def test_file_that_another_program_writes_is_not_called_broken(path, reader):
    before = path.read_bytes()
    with held(path):
        error = refused(path, reader)
    assert "another program has the file open for writing" in error.problem
    assert "close the program" in error.remedy
    assert path.read_bytes() == before
    assert len(read(path)) == 100_000


def test_file_that_another_program_only_reads_is_read(path):
    with held(path, "r"):
        assert len(read(path)) == 100_000


def test_new_file_of_a_program_that_takes_no_lock_is_waited_for(tmp_path):
    with held(tmp_path / "new.h5", "w", HDF5_USE_FILE_LOCKING="FALSE"):
        assert "wait for that" in refused(tmp_path / "new.h5").remedy


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda content: b"", "not an HDF5 file"),
        (lambda content: b"a picture, say", "not an HDF5 file"),
        (lambda content: bytes(len(content)), "not an HDF5 file"),
        (lambda content: content[:8], "not a whole HDF5 file"),
        (lambda content: content[:-1], "not a whole HDF5 file"),
        (lambda content: content[: len(content) // 2], "not a whole HDF5 file"),
        (lambda content: content[:1000] + bytes(len(content) - 1000), "not a whole HDF5 file"),
    ],
)
def test_broken_content_is_called_so_and_may_still_be_in_writing(path, spoil, problem):
    path.write_bytes(spoil(path.read_bytes()))
    error = refused(path)
    assert error.problem == problem
    assert error.remedy.endswith(REMEDY)
    assert "wait for that" in error.remedy


@pytest.mark.parametrize(
    ("number", "advice"), [(errno.EACCES, "permissions"), (errno.EIO, "the disk"), (errno.EMFILE, "open files")]
)
def test_what_the_system_refuses_is_no_fault_of_the_content(path, monkeypatch, number, advice):
    def refuse(*_, **__):
        raise OSError(number, f"Unable to synchronously open file (errno = {number})")

    monkeypatch.setattr(hdf5.h5py, "File", refuse)
    error = refused(path)
    assert (error.problem, error.found) == ("the file cannot be read", os.strerror(number))
    assert advice in error.remedy


def test_drive_that_fails_while_images_are_looked_at_is_one_message(path, monkeypatch):
    images = stored(path)

    def fail(*_):
        raise OSError(errno.EIO, "Can't synchronously read data (file read failed)")

    monkeypatch.setattr(h5py.Dataset, "read_direct", fail)
    assert "the disk" in refused(images, np.asarray).remedy


def test_missing_file_is_told_from_a_folder_and_from_a_wrong_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.h5").mkdir()
    assert refused(tmp_path / "none.h5").found == "nothing"
    assert refused(tmp_path / "folder.h5").found == "a folder"
    relative = (tmp_path / "none.h5").relative_to(tmp_path)
    assert refused(relative).remedy.startswith("run in the root of the project")
    (tmp_path / "dvc.yaml").touch()
    assert refused(relative).remedy == REMEDY


def test_errors_of_other_code_while_a_file_is_open_are_left_alone(path):
    for error in (OSError(errno.ENOSPC, "full", "other.json"), KeyError("pid"), RuntimeError("a bug")):
        with pytest.raises(type(error)) as raised, open_hdf5(path, SCHEMA, ["a"], REMEDY):
            raise error
        assert raised.value is error


def test_file_that_lost_a_dataset_is_refused(path):
    with h5py.File(path, "a") as file:
        del file["x"]
    assert "object 'x' doesn't exist" in str(refused(path).found)
