"""Yardsticks: histograms by hand, chance where it belongs, and the command. CPU, seconds."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from vireid.commands.yardsticks import yardsticks
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images
from vireid.retrieval.yardsticks import colour_histogram, grey_histogram, random_embedding

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"
PIDS = range(1, 26)
app = typer.Typer()
app.command()(yardsticks)


@pytest.fixture
def images(tmp_path):
    """Write an images file in which grey tells the identity in both spectra, and colour does not help."""
    with create_images(tmp_path / "images.h5", ImagesInfo("synthetic", 0, 8, 4, "cd" * 32)) as writer:
        for modality, camids in ((Modality.VISIBLE, (1, 2, 4, 5)), (Modality.INFRARED, (3, 6))):
            records = [
                ImageRecord(f"cam{camid}/{pid:04d}/0001.jpg", pid, camid, modality, "test")
                for camid in camids
                for pid in PIDS
            ]
            pictures = np.zeros((len(records), 8, 4, 3), np.uint8)
            for picture, record in zip(pictures, records, strict=True):
                picture.reshape(32, 3)[: record.pid] = 255
            writer.append(records, pictures)
    return tmp_path / "images.h5"


def test_colour_histogram_counts_pixels():
    picture = np.array([[[0, 0, 0], [31, 31, 31]], [[32, 0, 0], [255, 255, 255]]], np.uint8)
    histogram = colour_histogram(picture[None])[0]
    assert histogram.shape == (512,)
    assert {place: histogram[place] for place in np.flatnonzero(histogram)} == {0: 0.5, 64: 0.25, 511: 0.25}


def test_grey_histogram_counts_pixels_by_luma():
    picture = np.array([[[0, 0, 0], [255, 255, 255]], [[255, 0, 0], [7, 7, 7]]], np.uint8)
    histogram = grey_histogram(picture[None])[0]
    assert {place: histogram[place] for place in np.flatnonzero(histogram)} == {0: 0.5, 9: 0.25, 31: 0.25}


def test_histograms_of_many_images_are_those_of_each():
    pictures = np.random.default_rng(0).integers(0, 256, (300, 4, 3, 3), dtype=np.uint8)
    for histogram in (colour_histogram, grey_histogram):
        values = histogram(pictures)
        assert values.dtype == np.float32
        np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_array_equal(values[299], histogram(pictures[299:])[0])


def test_random_embedding_repeats_with_its_generator():
    first, again = (random_embedding(3, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_command_prints_all_and_writes_metrics(images, tmp_path):
    output = tmp_path / "yardsticks.json"
    result = CliRunner().invoke(app, ["--images", str(images), "--params", str(PARAMS), "--output", str(output)])
    assert result.exit_code == 0, result.output
    metrics = json.loads(output.read_text())
    assert set(metrics) == {"random", "colour_histogram", "grey_histogram"}
    single = {name: values["synthetic"]["all_search"]["single_shot"] for name, values in metrics.items()}
    assert single["random"]["rank1"] < 20
    assert single["grey_histogram"]["rank1"] == single["grey_histogram"]["mINP"] == 100
    assert "grey histogram" in result.stdout


def test_command_refuses_a_missing_images_file(tmp_path):
    result = CliRunner().invoke(app, ["--images", str(tmp_path / "none.h5"), "--params", str(PARAMS)])
    assert result.exit_code == 1
    assert "none.h5" in result.stderr
    assert "Traceback" not in result.stderr


def test_committed_parameters_name_protocols_of_the_committed_data_set():
    params = YAML(typ="safe").load(PARAMS)
    assert all(name.startswith(params["dataset"]["name"]) for name in params["evaluate"]["protocols"])
