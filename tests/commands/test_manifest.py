"""`vireid manifest`: from a folder tree and a pattern to a manifest that ingest takes. CPU, seconds."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vireid.cli import app
from vireid.data.layouts.manifest import find_images
from vireid.data.records import Modality

PATTERN = r"(?P<modality>rgb|ir)/(?P<pid>\d+)/c(?P<camid>\d)_\d+\.jpg"
WORDS = ("--visible", "rgb", "--infrared", "ir")
PIDS = range(1, 11)


@pytest.fixture
def root(tmp_path):
    """Ten identities, each with an image by a visible and an infrared camera."""
    for word, camid in (("rgb", 1), ("ir", 2)):
        for pid in PIDS:
            folder = tmp_path / "pictures" / word / f"{pid:03d}"
            folder.mkdir(parents=True)
            (folder / f"c{camid}_0001.jpg").write_bytes(b"")
    return tmp_path / "pictures"


def run(root, *options, pattern=PATTERN):
    return CliRunner().invoke(app, ["manifest", str(root), "--pattern", pattern, *map(str, options)])


def refused(result, *parts):
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    for part in ("expected:", "found:", "remedy:", *parts):
        assert part in result.stderr


def test_manifest_says_what_the_paths_say(root):
    result = run(root, *WORDS)
    assert result.exit_code == 0, result.output
    assert "train: 10 images of 5 identities" in result.stdout
    records = find_images(root)
    assert len(records) == 20
    for record in records:
        word, camid = ("rgb", 1) if record.modality is Modality.VISIBLE else ("ir", 2)
        assert record.name == f"{word}/{record.pid:03d}/c{camid}_0001.jpg"
        assert record.camid == camid


@pytest.mark.parametrize(("share", "count"), [(0.3, 3), (1, 10), (0, 0)])
def test_identities_are_split_whole_by_share_and_seed(root, share, count):
    splits = []
    for seed in (0, 0, 1):
        (root / "manifest.csv").unlink(missing_ok=True)
        assert run(root, *WORDS, "--test-share", share, "--seed", seed).exit_code == 0
        splits.append({record.pid for record in find_images(root) if record.split == "test"})
    assert splits[0] == splits[1]
    assert {len(split) for split in splits} == {count}
    assert (splits[0] != splits[2]) == (0 < share < 1)


def test_split_can_stand_in_the_paths(root):
    for pid in PIDS:
        for word in ("rgb", "ir"):
            target = root / ("test" if pid > 8 else "train") / word / f"{pid}"
            target.parent.mkdir(parents=True, exist_ok=True)
            (root / word / f"{pid:03d}").rename(target)
    assert run(root, *WORDS, pattern=r"(?P<split>train|test)/" + PATTERN).exit_code == 0
    assert {record.pid for record in find_images(root) if record.split == "test"} == {9, 10}


def test_images_that_do_not_match_are_an_error_or_left_out(root):
    (root / "holiday.JPG").write_bytes(b"")
    (root / "notes.txt").write_text("not an image")
    refused(run(root, *WORDS), "1 of 21 images", "holiday.JPG", "--skip")
    assert not (root / "manifest.csv").exists()
    assert run(root, *WORDS, "--skip").exit_code == 0
    assert len(find_images(root)) == 20


def test_pattern_that_matches_nothing_is_an_error_even_with_skip(root):
    refused(run(root, "--skip", pattern=r"(?P<modality>x)(?P<pid>\d)(?P<camid>\d)"), "20 of 20")


@pytest.mark.parametrize("pattern", ["(", r"(?P<pid>\d+)", PATTERN + "(?P<colour>)", ".*"])
def test_pattern_of_another_form_is_an_error(root, pattern):
    refused(run(root, pattern=pattern), "pid, camid, modality")


def test_unknown_word_for_a_modality_is_an_error(root):
    refused(run(root), "visible or infrared", "--infrared WORD")


def test_value_that_ingest_would_refuse_is_an_error_and_nothing_is_written(root):
    (root / "rgb" / "alice").mkdir()
    (root / "rgb" / "alice" / "c1_0001.jpg").write_bytes(b"")
    before = sorted(root.rglob("*"))
    result = run(root, *WORDS, pattern=PATTERN.replace(r"\d+)/c", r"\w+)/c"))
    refused(result, "rgb/alice/c1_0001.jpg, pid: 'alice'", "no manifest was written")
    assert "partial" not in result.stderr
    assert sorted(root.rglob("*")) == before


def test_identity_written_in_two_ways_is_one(root):
    (root / "ir" / "007").rename(root / "ir" / "7")
    for seed in range(4):
        (root / "manifest.csv").unlink(missing_ok=True)
        result = run(root, *WORDS, "--seed", seed)
        assert result.exit_code == 0, result.output
        assert len({record.split for record in find_images(root) if record.pid == 7}) == 1


def test_optional_group_that_finds_nothing_is_no_match(root):
    pattern = PATTERN.replace(r"(?P<pid>\d+)", r"(?:(?P<pid>\d+)|x)")
    (root / "rgb" / "x").mkdir()
    (root / "rgb" / "x" / "c1_0001.jpg").write_bytes(b"")
    refused(run(root, *WORDS, pattern=pattern), "1 of 21 images")
    assert run(root, *WORDS, "--skip", pattern=pattern).exit_code == 0


def test_name_that_is_not_utf8_is_named(root):
    Path(os.fsdecode(os.fsencode(root) + b"/rgb/x\xff.jpg")).write_bytes(b"")
    refused(run(root, *WORDS), r"rgb/x\xff.jpg", "not UTF-8")


def test_existing_manifest_is_left_alone(root):
    (root / "manifest.csv").write_text("mine")
    refused(run(root, *WORDS), "already")
    assert (root / "manifest.csv").read_text() == "mine"


def test_missing_folder_is_an_error(tmp_path):
    refused(run(tmp_path / "none"), "none")


def test_folder_without_images_is_an_error(tmp_path):
    refused(run(tmp_path), "no image in the folder")
