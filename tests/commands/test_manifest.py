"""`vireid manifest`: from a folder tree and a pattern to a manifest that ingest takes. CPU, seconds."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.datasets.listing import manifest_images
from tests.refusals import refused
from vireid.cli import app
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


def test_manifest_says_what_the_paths_say(root):
    result = run(root, *WORDS)
    assert result.exit_code == 0, result.output
    assert "train: 10 images of 5 identities" in result.stdout
    records = manifest_images(root)
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
        splits.append({record.pid for record in manifest_images(root) if record.split == "test"})
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
    assert {record.pid for record in manifest_images(root) if record.split == "test"} == {9, 10}


def test_images_that_do_not_match_are_an_error_or_left_out(root):
    (root / "holiday.JPG").write_bytes(b"")
    (root / "notes.txt").write_text("not an image")
    refused(run(root, *WORDS), "1 of 21 images", "holiday.JPG", "--skip")
    assert not (root / "manifest.csv").exists()
    assert run(root, *WORDS, "--skip").exit_code == 0
    assert len(manifest_images(root)) == 20


def test_pattern_that_matches_nothing_is_an_error_even_with_skip(root):
    refused(run(root, "--skip", pattern=r"(?P<modality>x)(?P<pid>\d)(?P<camid>\d)"), "20 of 20")


@pytest.mark.parametrize(
    "pattern", ["(", r"(?P<pid>\d+)", r"(?P<pid>\d+)(?P<camid>\d+)", PATTERN + "(?P<colour>)", ".*"]
)
def test_pattern_of_another_form_is_an_error(root, pattern):
    refused(run(root, pattern=pattern), "pid and modality")


def test_unknown_word_for_a_modality_is_an_error(root):
    refused(run(root), "visible or infrared", "--infrared WORD")


def test_value_that_ingest_would_refuse_is_an_error_and_nothing_is_written(root):
    for number in range(7):
        (root / "rgb" / "001" / f"c{number}99999_0001.jpg").write_bytes(b"")
    before = sorted(root.rglob("*"))
    result = run(root, *WORDS, pattern=PATTERN.replace(r"\d)_", r"\d+)_"))
    refused(result, "7 wrong values", "rgb/001/c199999_0001.jpg, camid: '199999'", "no manifest was written")
    assert "and 2 more" in result.stderr
    assert "c599999" not in result.stderr
    assert "partial" not in result.stderr
    assert sorted(root.rglob("*")) == before


def test_identity_written_in_two_ways_is_one(root):
    (root / "ir" / "007").rename(root / "ir" / "7")
    for seed in range(4):
        (root / "manifest.csv").unlink(missing_ok=True)
        result = run(root, *WORDS, "--seed", seed)
        assert result.exit_code == 0, result.output
        assert len({record.split for record in manifest_images(root) if record.pid == 7}) == 1


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


@pytest.fixture
def frames(tmp_path):
    """Four identities by day and by night, without cameras in the names."""
    for pid in range(1, 5):
        for word in ("day", "night"):
            (tmp_path / f"{word}-P{pid:04d}-frame0.jpg").write_bytes(b"")
    return tmp_path


BY_DAY = ("--visible", "day", "--infrared", "night")


def test_images_without_camera_numbers_are_of_camera_1_and_2(frames):
    result = run(frames, *BY_DAY, pattern=r"(?P<modality>day|night)-P(?P<pid>\d+)-.*")
    assert result.exit_code == 0, result.output
    assert "numbered" not in result.stdout
    assert "warning" not in result.stdout
    records = manifest_images(frames)
    assert {(record.modality, record.camid) for record in records} == {
        (Modality.VISIBLE, 1),
        (Modality.INFRARED, 2),
    }


def test_identities_that_are_words_are_numbered_in_order_and_shown(frames):
    (frames / "day-0-frame0.jpg").write_bytes(b"")
    result = run(frames, *BY_DAY, pattern=r"(?P<modality>day|night)-(?P<pid>\w+)-.*")
    assert result.exit_code == 0, result.output
    assert "identities, numbered in the order of their names: 0 is 1, P0001 is 2, P0002 is 3" in result.stdout
    pids = {record.name.split("-")[1]: record.pid for record in manifest_images(frames)}
    assert pids == {"0": 1, "P0001": 2, "P0002": 3, "P0003": 4, "P0004": 5}


def test_cameras_that_are_words_are_numbered_in_order_and_one_of_both_spectra_is_one_place(tmp_path):
    for place, words in (("lobby", ("day", "night")), ("north", ("day",)), ("attic", ("night",))):
        for word in words:
            (tmp_path / f"{place}_1_{word}.jpg").write_bytes(b"")
    pattern = r"(?P<camid>[a-z]+)_(?P<pid>\d)_(?P<modality>day|night)\.jpg"
    result = run(tmp_path, *BY_DAY, pattern=pattern)
    assert result.exit_code == 0, result.output
    assert "cameras, numbered in the order of their names: attic is 1, lobby is 2, north is 3\n" in result.stdout
    assert "cameras of both spectra" in result.stdout
    assert {record.name.split("_")[0]: record.camid for record in manifest_images(tmp_path)} == {
        "attic": 1,
        "lobby": 2,
        "north": 3,
    }


def test_many_words_are_shown_by_the_first_and_a_count(tmp_path):
    for number in range(40):
        (tmp_path / f"day_p{number:02d}.jpg").write_bytes(b"")
    result = run(tmp_path, *BY_DAY, pattern=r"(?P<modality>day)_(?P<pid>\w+)\.jpg")
    assert "p04 is 5, ... (40 in all)" in result.stdout
    assert "p05" not in result.stdout


def test_what_is_passed_over_is_counted_and_what_desktops_leave_is_not(root):
    (root / ".Trash-1000" / "files").mkdir(parents=True)
    for name in ("a.heic", "b.HEIC", "rgb/c.gif", "notes.txt", ".Trash-1000/files/x.jpg", "rgb/._y.jpg"):
        (root / name).write_bytes(b"")
    (root / "far").symlink_to(root)
    result = run(root, *WORDS)
    assert result.exit_code == 0, result.output
    assert "passed over: 2 .heic, 1 .gif; 1 linked folder (far)\n" in result.stdout
    assert "ingest refuses linked folders" in result.stdout
    (root / "far").unlink()
    assert len(manifest_images(root)) == 20


def test_folder_of_other_pictures_only_says_which(tmp_path):
    (tmp_path / "IMG_1.HEIC").write_bytes(b"")
    refused(run(tmp_path), "no image in the folder", "passed over: 1 .heic")


def test_skipped_images_are_counted(root):
    (root / "holiday.jpg").write_bytes(b"")
    assert "left out: 1 image that the pattern does not match\n" in run(root, *WORDS, "--skip").stdout


def test_help_has_an_example_without_cameras():
    result = CliRunner().invoke(app, ["manifest", "--help"])
    assert r"(?P<modality>day|night)-P(?P<pid>\d+)-.*" in result.stdout
