"""The stage `superresolve` as DVC runs it: what it writes and how it fails. CPU, seconds."""

import json

import pytest

from tests.made import tree
from vireid.data.records import Modality
from vireid.data.store import open_images


@pytest.fixture
def ingested(project):
    """The project after ingest."""
    (project / "artifacts" / "superresolved.h5").unlink()
    return project


def test_help_names_what_is_read_and_written(stage):
    text = stage("superresolve", "--help").stdout
    for part in (
        "images.h5",
        "superresolved.h5",
        "srcnn.safetensors",
        "results/superresolve.json",
        "comparison.png",
    ):
        assert part in text


def test_stage_writes_overlay_weights_and_scores(stage, ingested, overlay_file):
    result = stage("superresolve")
    assert result.exit_code == 0, result.output
    assert "replaced 24 images" in result.stdout
    found = tree(ingested)
    assert found["artifacts/superresolved.h5"] == overlay_file.read_bytes()
    assert found["artifacts/srcnn.safetensors"] == overlay_file.with_name("srcnn.safetensors").read_bytes()
    scores = json.loads(found["results/superresolve.json"])
    assert scores["psnr"]["bicubic"] > 5
    assert scores["originals"]["training"]["enlarged"] == 20
    assert "warning: 24 of 24 originals are smaller than 64 x 32 pixels" in result.stderr
    assert set(found) - {"params.yaml", "artifacts/images.h5"} == {
        "artifacts/superresolved.h5",
        "artifacts/srcnn.safetensors",
        "results/superresolve.json",
        "results/superresolve/training.csv",
        "results/superresolve/comparison.png",
    }


def test_switched_off_stage_writes_an_empty_overlay(stage, ingested, change):
    change(superresolve__enabled=False)
    result = stage("superresolve")
    assert result.exit_code == 0, result.output
    with open_images(ingested / "artifacts" / "superresolved.h5") as file:
        assert len(file.read("train", Modality.VISIBLE)) == 0
    scores = json.loads((ingested / "results" / "superresolve.json").read_text())
    assert scores == {"enabled": False, "replaced_images": 0}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"superresolve__camera": 3}, "superresolve.camera"),
        ({"superresolve__camera": 9}, "superresolve.camera"),
        ({"superresolve__holdout_pids": 12}, "superresolve.holdout_pids"),
        ({"superresolve__patch": 64}, "superresolve.patch"),
        ({"superresolve__patch": 15}, "superresolve.patch"),
        ({"superresolve__camra": 1}, "superresolve.camra"),
        ({"root": "gone"}, "gone/cam1"),
    ],
)
def test_wrong_parameter_is_one_message_and_writes_nothing(stage, fails, ingested, change, changes, named):
    change(**changes)
    before = tree(ingested)
    fails(stage("superresolve"), named)
    assert tree(ingested) == before


def test_missing_images_are_one_message(stage, fails, ingested):
    (ingested / "artifacts" / "images.h5").unlink()
    fails(stage("superresolve"), "artifacts/images.h5", "dvc repro")


def test_images_cut_short_are_one_message(stage, fails, ingested):
    path = ingested / "artifacts" / "images.h5"
    path.write_bytes(path.read_bytes()[:1000])
    fails(stage("superresolve"), "artifacts/images.h5", "not a whole HDF5 file")
