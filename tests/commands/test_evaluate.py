"""`vireid evaluate`: any features file by any protocol, the example of docs first. CPU, seconds."""

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
from tests.refusals import refused
from tests.retrieval.made import random_features
from vireid.cli import app
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images
from vireid.datasets.protocols import protocol_named
from vireid.params import Reranking
from vireid.retrieval.evaluation import evaluate_protocols
from vireid.retrieval.features import read_features, write_features
from vireid.retrieval.reranked import rerank

SINGLE = "synthetic/all_search/single_shot"


def run(*options):
    return CliRunner().invoke(app, ["evaluate", *map(str, options)])


def write(path, features):
    write_features(path, features.info, features.visible, features.infrared)
    return path


@pytest.fixture
def path(tmp_path):
    features = random_features(pids=range(1, 23), noise=0.5)
    trained = replace(features.info, train_pids=np.array([50], np.int32))
    return write(tmp_path / "features.h5", replace(features, info=trained))


def test_example_of_the_docs_is_evaluated(tmp_path):
    """The Python block of docs/features.md that writes a features file, as it stands there, and a command."""
    block = next(
        b for b in re.findall(r"```python\n(.*?)```", (ROOT / "docs/features.md").read_text(), re.S) if "h5py" in b
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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("method", ["x$_$y", "\u4e2d\u6587", "x" * 300])
def test_method_of_any_name_has_its_figures(tmp_path, method):
    features = random_features(pids=range(1, 23), noise=0.5)
    path = write(tmp_path / "features.h5", replace(features, info=replace(features.info, method=method)))
    result = run(path, "--protocol", SINGLE, "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "figures" / "embedding_map.png").exists()


def test_figures_have_pictures_where_there_are_images(path, tmp_path):
    features = read_features(path)
    with create_images(
        tmp_path / "images.h5", ImagesInfo("synthetic", 0, 8, 4, features.info.source_hash)
    ) as file:
        for modality in Modality:
            part = features.group(modality)
            records = [ImageRecord(name, 1, 1, modality, "test") for name in part.name]
            file.append(records, np.full((len(part), 8, 4, 3), 128, np.uint8))
    result = run(path, "--figures", tmp_path / "figures", "--images", tmp_path / "images.h5")
    assert result.exit_code == 0, result.output
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    assert drawn >= {"ranked_lists.png", "worst_queries.png", "cmc.png"}


def test_re_ranking_is_the_stages_own(path, tmp_path):
    result = run(path, "--protocol", SINGLE, "--rerank", "--k1", 5, "--json", tmp_path / "result.json")
    assert result.exit_code == 0, result.output
    settings = Reranking(k1=5, k2=6, lambda_value=0.3)
    features = read_features(path)
    (expected,) = rerank(
        features, evaluate_protocols(features, [protocol_named(SINGLE)], [1, 5, 10, 20]), settings
    )
    stored = json.loads((tmp_path / "result.json").read_text())["protocols"][SINGLE]["reranked"]
    assert stored["parameters"] == settings.model_dump()
    assert stored["mean"]["mAP"] == pytest.approx(100 * expected.reranked.means["mAP"], abs=1e-5)
    assert "re-ranked" in result.stdout
    assert f"{stored['mean']['mAP']:.2f}" in result.stdout


def test_name_in_brackets_is_no_markup(tmp_path):
    features = random_features(pids=range(1, 23), noise=0.5)
    info = replace(features.info, method="baseline [/w triplet] [bold]x")
    result = run(write(tmp_path / "features.h5", replace(features, info=info)), "--protocol", SINGLE)
    assert result.exit_code == 0, result.output
    assert "baseline [/w triplet] [bold]x, embedding bn" in result.stdout


@pytest.mark.parametrize(
    ("given", "needed"),
    [
        (("--k1", 5), "--rerank"),
        (("--k2", 1, "--lambda", 0.5), "--rerank"),
        (("--images", "images.h5"), "--figures DIR"),
    ],
)
def test_option_that_does_nothing_without_another_one_is_refused(tmp_path, given, needed):
    result = run(tmp_path / "features.h5", *given)
    assert result.exit_code == 1
    names = ", ".join(name for name in given if str(name).startswith("--"))
    assert f"{names}: it does nothing without {needed}" in result.stderr


@pytest.mark.parametrize("protocols", [(), ("--protocol", SINGLE, "--rerank")])
def test_rank_beyond_the_gallery_is_blank(path, protocols):
    result = run(path, "--rank", 1, "--rank", 23, *protocols)
    assert result.exit_code == 0, result.output
    assert "rank 23: blank, as the gallery has 22 identities" in result.stdout


COLLAPSED = {
    "all ones": lambda rows, modality: np.ones((rows, 8)),
    "all zero": lambda rows, modality: np.zeros((rows, 8)),
    "equal up to 1e-9": lambda rows, modality: 1 + 1e-9 * np.random.default_rng(rows).random((rows, 8)),
    "equal up to float32's rounding": lambda rows, modality: (
        1 + 1e-7 * np.arange(rows * 8).reshape(rows, 8) % 3e-7
    ),
    "one constant per spectrum": lambda rows, modality: np.full((rows, 8), 1.0 - 3 * (modality == "visible")),
    "one dimension": lambda rows, modality: np.arange(1.0, rows + 1)[:, None],
}


@pytest.mark.parametrize("embedding", COLLAPSED)
def test_collapsed_embedding_has_every_figure_but_the_map(path, tmp_path, embedding):
    """In a process of its own: t-SNE ended it on the first three."""
    rewrite(path, COLLAPSED[embedding])
    command = [sys.executable, "-c", "from vireid.cli import app; app()", "evaluate", path, "--protocol", SINGLE]
    result = subprocess.run(
        [*command, "--figures", tmp_path / "figures"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"cmc.png", "distances.png"}
    assert "warning: the embedding has collapsed" in result.stderr
    assert "not drawn: embedding_map.png: the embedding has collapsed" in result.stderr
    assert "RuntimeWarning" not in result.stderr


def outlier(rows, modality):
    values = np.random.default_rng(rows).random((rows, 8))
    values[0] = 3e38
    return values


@pytest.mark.parametrize("as_given", [(), ("--as-given",)])
def test_huge_outlier_leaves_the_figures_that_can_be_drawn(path, tmp_path, as_given):
    rewrite(path, outlier)
    result = run(path, "--protocol", SINGLE, "--figures", tmp_path / "figures", *as_given)
    assert result.exit_code == 0, result.output
    drawn = {file.name for file in (tmp_path / "figures").iterdir()}
    assert drawn == {"cmc.png", "embedding_map.png"} | ({"distances.png"} if not as_given else set())
    assert ("too large for float32" in result.stderr) == bool(as_given)


def test_too_few_images_for_a_figure_leave_it_out(tmp_path):
    path = write(tmp_path / "features.h5", random_features(pids=[1], visible=1, infrared=1))
    result = run(path, "--protocol", SINGLE, "--rank", 1, "--figures", tmp_path / "figures")
    assert result.exit_code == 0, result.output
    assert "not drawn: distances.png: there are no two images" in result.stderr
    assert "cmc.png" in {file.name for file in (tmp_path / "figures").iterdir()}


def rewrite(path, values):
    """Give each modality another embedding."""
    with h5py.File(path, "r+") as file:
        for modality in ("visible", "infrared"):
            rows = len(file[modality]["pid"])
            del file[modality]["embeddings/bn"]
            file[modality]["embeddings/bn"] = values(rows, modality).astype("f4")


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
