"""`vireid evaluate`: any features file by any protocol, README's example first. CPU, seconds."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from tests.made import ROOT
from tests.retrieval.made import random_features
from vireid.cli import app
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images
from vireid.retrieval.features import read_features, write_features

SINGLE = "synthetic/all_search/single_shot"


def run(*options):
    return CliRunner().invoke(app, ["evaluate", *map(str, options)])


def refused(result, *parts):
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    for part in ("expected:", "found:", "remedy:", *parts):
        assert part in result.stderr


def write(path, features):
    write_features(path, features.info, features.visible, features.infrared)
    return path


@pytest.fixture
def path(tmp_path):
    features = random_features(pids=range(1, 23), noise=0.5)
    trained = replace(features.info, train_pids=np.array([50], np.int32))
    return write(tmp_path / "features.h5", replace(features, info=trained))


def test_example_of_the_readme_is_evaluated(tmp_path):
    """The Python block of README that writes a features file, as it stands there, and the command below it."""
    block = next(
        b for b in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "h5py" in b
    )
    subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True)
    result = run(tmp_path / "mine.h5", "--protocol", "sysu_mm01/all_search/single_shot")
    assert result.exit_code == 0, result.output
    assert "sysu_mm01/all_search/single_shot" in result.stdout
    assert "warning" not in result.stderr


def test_all_protocols_of_the_data_set_unless_some_are_named(path):
    text = run(path).stdout
    assert [mode in text for mode in ("all_search/single", "all_search/multi", "indoor_search/multi")] == [
        True
    ] * 3
    text = run(path, "--protocol", SINGLE).stdout
    assert SINGLE in text
    assert "multi" not in text


def test_json_holds_what_stands_behind_the_table(path, tmp_path):
    result = run(path, "--protocol", SINGLE, "--json", tmp_path / "result.json", "--rank", 3, "--rank", 1)
    stored = json.loads((tmp_path / "result.json").read_text())
    assert stored["train_identities"] == 1
    mean = stored["protocols"][SINGLE]["mean"]
    assert list(mean) == ["rank1", "rank3", "mAP", "mINP"]
    assert f"{mean['mAP']:.2f}" in result.stdout


def test_as_given_compares_embeddings_as_they_are(path, tmp_path):
    with h5py.File(path, "r+") as file:
        values = file["visible/embeddings/bn"]
        values[:] = values[:] * np.linspace(1, 9, len(values))[:, None]
    stored = []
    for options in ((), ("--as-given",)):
        assert run(path, "--protocol", SINGLE, "--json", tmp_path / "result.json", *options).exit_code == 0
        stored.append(json.loads((tmp_path / "result.json").read_text())["protocols"][SINGLE])
    assert [part["protocol"]["normalise"] for part in stored] == [True, False]
    assert stored[0]["mean"]["mAP"] > stored[1]["mean"]["mAP"]


def test_figures_are_drawn_without_pictures_where_there_are_no_images(path, tmp_path):
    assert run(path, "--figures", tmp_path / "figures").exit_code == 0
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    assert drawn == {"cmc.png", "distances.png", "embedding_map.png"}


def test_figures_have_pictures_where_there_are_images(path, tmp_path):
    features = read_features(path)
    with create_images(
        tmp_path / "images.h5", ImagesInfo("synthetic", 0, 8, 4, features.info.source_hash)
    ) as file:
        for modality in Modality:
            part = features.of(modality)
            records = [ImageRecord(name, 1, 1, modality, "test") for name in part.name]
            file.append(records, np.full((len(part), 8, 4, 3), 128, np.uint8))
    result = run(path, "--figures", tmp_path / "figures", "--images", tmp_path / "images.h5")
    assert result.exit_code == 0, result.output
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    assert drawn >= {"ranked_lists.png", "worst_queries.png", "cmc.png"}


def test_unknown_training_identities_are_warned_of(tmp_path):
    path = write(tmp_path / "features.h5", random_features(noise=0.5))
    result = run(path, "--protocol", SINGLE)
    assert result.exit_code == 0
    assert "warning: the file names no training identities" in result.stderr


def test_pictures_of_other_images_are_refused(path, tmp_path):
    with create_images(tmp_path / "images.h5", ImagesInfo("synthetic", 0, 8, 4, "00" * 32)):
        pass
    result = run(path, "--figures", tmp_path / "figures", "--images", tmp_path / "images.h5")
    refused(result, "other images than those of the features")
    assert not (tmp_path / "figures").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--protocol", "sysu_mm01/all"), "unknown protocol"),
        (("--protocol", "llcm/visible_to_infrared"), "another data set"),
        (("--embedding", "pooled"), "no embedding `pooled`"),
        (("--official",), "do not hold the official galleries"),
        (("--rank", "23"), "smaller than the ranks"),
        (("--images", "images.h5"), "--figures DIR"),
    ],
)
def test_wrong_option_is_one_message(path, options, message):
    refused(run(path, *options), message)


def test_data_set_without_protocols_is_one_message(path):
    with h5py.File(path, "r+") as file:
        file.attrs["dataset"] = "my_cameras"
    refused(run(path), "my_cameras", "manifest")


def test_missing_file_is_one_message(tmp_path):
    refused(run(tmp_path / "features.h5"), "the file is missing")
