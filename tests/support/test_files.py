"""Files that are whole or absent, hashes and JSON. CPU, instant."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.made import tree
from vireid.support.files import replacing, sha256, write_json


def test_new_file_appears_whole_when_the_body_is_done(tmp_path):
    path = tmp_path / "deep" / "er" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
        assert partial.parent == path.parent
    assert tree(tmp_path) == {"deep/er/a.txt": b"new"}


def test_earlier_file_is_there_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("write", [True, False])
def test_error_keeps_the_earlier_file_and_leaves_no_partial_one(tmp_path, error, write):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error):
        interrupted(path, error, write)
    assert tree(tmp_path) == {"a.txt": b"old"}


def interrupted(path, error, write):
    with replacing(path) as partial:
        if write:
            partial.write_text("half")
        raise error


def test_what_a_killed_run_left_behind_is_cleared(tmp_path):
    path = tmp_path / "a.txt"
    with replacing(path) as partial:
        name = partial.name
        partial.write_text("")
    for make in (lambda: (tmp_path / name).write_text("rest"), lambda: (tmp_path / name).mkdir()):
        make()
        with replacing(path) as partial:
            assert not partial.exists()
            partial.write_text("new")
        assert tree(tmp_path) == {"a.txt": b"new"}


def test_folder_replaces_the_earlier_folder_as_a_whole(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("")
    with replacing(path) as partial:
        partial.mkdir()
        (partial / "new").write_text("x")
    assert tree(tmp_path) == {"model/new": b"x"}


def test_error_keeps_the_earlier_folder(tmp_path):
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("x")

    def fill(partial):
        partial.mkdir()
        (partial / "new").write_text("")
        raise ValueError

    with pytest.raises(ValueError), replacing(path) as partial:
        fill(partial)
    assert tree(tmp_path) == {"model/old": b"x"}
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_hash_is_of_the_whole_content(tmp_path):
    content = np.random.default_rng(0).bytes(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_json_is_rounded_readable_and_ends_in_a_newline(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"x": [1 / 3, {"y": (2.0000000001, 7)}], "name": "cam1/é.jpg", "none": None, "big": 10**12})
    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "é" in text
    assert "0.333333" in text
    assert "0.3333333" not in text
    assert json.loads(text) == {
        "x": [0.333333, {"y": [2.0, 7]}],
        "name": "cam1/é.jpg",
        "none": None,
        "big": 10**12,
    }
    assert len(text.splitlines()) > 5


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_json_refuses_what_is_no_number_and_keeps_the_earlier_file(tmp_path, value):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    before = tree(tmp_path)
    with pytest.raises(ValueError):
        write_json(path, value)
    assert tree(tmp_path) == before


def test_durable_content_is_on_the_disk_before_it_has_its_name_and_the_name_after(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, Path.replace

    def noted_fsync(handle):
        done.append(("fsync", Path(f"/proc/self/fd/{handle}").readlink().name))
        fsync(handle)

    def noted_replace(source, target):
        done.append(("replace", target.name))
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    with replacing(tmp_path / "folder", durable=True) as partial:
        partial.mkdir()
        (partial / "file").write_text("content")
    assert done == [
        ("fsync", "folder.partial"),
        ("fsync", "file"),
        ("replace", "folder"),
        ("fsync", tmp_path.name),
    ]
