"""The stage `evaluate` as DVC runs it, on small made-up files: what it writes, that it repeats, how it fails."""

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import typer
from ruamel.yaml import YAML
from typer.testing import CliRunner

from tests.retrieval.made import random_features
from vireid.retrieval.features import write_features

ROOT = Path(__file__).resolve().parents[2]

OUTPUTS = {"metrics.json", "evaluation.json", "cmc.csv"}


@pytest.fixture(scope="module")
def app():
    spec = importlib.util.spec_from_file_location("evaluate_stage", ROOT / "stages" / "evaluate.py")
    stage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stage)
    app = typer.Typer()
    app.command()(stage.main)
    return app


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Make what evaluate reads, where the pipeline has it."""
    monkeypatch.chdir(tmp_path)
    features = random_features(pids=range(1, 23), visible=1, infrared=1, noise=0.5)
    write_features(Path("artifacts/features.h5"), features.info, features.visible, features.infrared)
    Path("params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    set_params()
    return features


def set_params(**values):
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["dataset"]["name"] = "synthetic"
    params["evaluate"] |= {
        "protocols": ["synthetic/all_search/single_shot", "synthetic/indoor_search/multi_shot"],
        "ranks": [1, 20],
        "embedding": "default",
    } | values
    yaml.dump(params, Path("params.yaml"))


def written():
    return {str(file): file.read_bytes() for file in Path("results").rglob("*") if file.is_file()}


def test_writes_all_results_and_prints_a_table(app, project):
    result = CliRunner().invoke(app)
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path("results").iterdir()} == OUTPUTS
    metrics = json.loads(Path("results/metrics.json").read_text())
    assert set(metrics["synthetic"]["all_search"]["single_shot"]) == {"rank1", "rank20", "mAP", "mINP"}
    curves = pd.read_csv("results/cmc.csv").set_index(["protocol", "rank"])["matched"]
    assert curves["synthetic/all_search/single_shot", 20] == pytest.approx(
        metrics["synthetic"]["all_search"]["single_shot"]["rank20"], abs=1e-4
    )
    assert curves["synthetic/indoor_search/multi_shot"].index.tolist() == list(range(1, 23))
    printed = f"{metrics['synthetic']['all_search']['single_shot']['mAP']:.2f}"
    assert printed in result.stdout
    assert "synthetic/indoor_search/multi_shot" in result.stdout


def test_rank_beyond_the_gallery_is_left_out_and_said(app, project):
    set_params(ranks=[1, 23], rerank=True)
    result = CliRunner().invoke(app)
    assert result.exit_code == 0, result.output
    assert "rank 23: blank, as the gallery has 22 identities" in result.stdout
    numbers = json.loads(Path("results/metrics.json").read_text())["synthetic"]["all_search"]["single_shot"]
    assert set(numbers) == {"rank1", "mAP", "mINP", "reranked"}
    assert set(numbers["reranked"]) == {"rank1", "mAP", "mINP"}


def test_collapsed_embedding_is_warned_of(app, project):
    with h5py.File("artifacts/features.h5", "r+") as file:
        file["visible/embeddings/bn"][:] = 1
    result = CliRunner().invoke(app)
    assert result.exit_code == 0, result.output
    assert "warning: the embedding has collapsed: all visible images" in result.stderr


def test_repeats_to_the_byte(app, project):
    assert CliRunner().invoke(app).exit_code == 0
    first = written()
    assert CliRunner().invoke(app).exit_code == 0
    assert written() == first
    assert len(first) == 3


def test_reranked_results_stand_beside_the_others(app, project):
    assert CliRunner().invoke(app).exit_code == 0
    plain = json.loads(Path("results/metrics.json").read_text())["synthetic"]["all_search"]["single_shot"]
    set_params(rerank=True)
    result = CliRunner().invoke(app)
    assert result.exit_code == 0, result.output
    metrics = json.loads(Path("results/metrics.json").read_text())["synthetic"]["all_search"]["single_shot"]
    again = metrics.pop("reranked")
    assert metrics == plain
    assert set(again) == set(plain)
    assert again["mAP"] != plain["mAP"]
    stored = json.loads(Path("results/evaluation.json").read_text())["protocols"]
    details = stored["synthetic/all_search/single_shot"]["reranked"]
    assert details["parameters"] == {"k1": 20, "k2": 6, "lambda_value": 0.3}
    assert details["mean"] == pytest.approx(again, abs=1e-5)
    assert len(details["trials"]) == 10
    assert f"{again['mAP']:.2f}" in result.stdout
    assert result.stdout.count("  re-ranked") == 2
    assert "k1 20, k2 6, lambda 0.3" in result.stdout


def test_reranked_results_repeat_to_the_byte(app, project):
    set_params(rerank=True)
    assert CliRunner().invoke(app).exit_code == 0
    first = written()
    assert CliRunner().invoke(app).exit_code == 0
    assert written() == first


def test_other_paths_can_be_given(app, project):
    arguments = ["--metrics", "a/m.json", "--evaluation", "a/e.json", "--cmc", "a/c.csv"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert {path.name for path in Path("a").iterdir()} == {"m.json", "e.json", "c.csv"}
    assert written() == {}


def test_help_says_what_is_read_and_written(app):
    text = CliRunner().invoke(app, ["--help"]).stdout
    for name in ("features.h5", *OUTPUTS):
        assert name in text


def nan_in_features(features):
    with h5py.File("artifacts/features.h5", "r+") as file:
        file["infrared/embeddings/bn"][3, 0] = np.nan


def truncated_features(features):
    content = Path("artifacts/features.h5").read_bytes()
    Path("artifacts/features.h5").write_bytes(content[:-1000])


def leaking_features(features):
    info = replace(features.info, train_pids=np.array([7], np.int32))
    write_features(Path("artifacts/features.h5"), info, features.visible, features.infrared)


def no_features(features):
    Path("artifacts/features.h5").unlink()


def images_as_features(features):
    with h5py.File("artifacts/features.h5", "r+") as file:
        file.attrs["schema"] = "vireid.images/1"


def no_params(features):
    Path("params.yaml").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (nan_in_features, "1 of 44 images, the first is cam3/0004/0001.jpg"),
        (truncated_features, "not a whole HDF5 file"),
        (leaking_features, "trained on"),
        (no_features, "artifacts/features.h5: the file is missing"),
        (images_as_features, "another file format"),
        (no_params, "params.yaml: the file is missing"),
        (lambda _: set_params(protocols=["synthetic/all"]), "unknown protocol"),
        (lambda _: set_params(protocols=["sysu_mm01/all_search/single_shot"]), "another data set"),
        (lambda _: set_params(embedding="pooled"), "no embedding `pooled`"),
        (lambda _: set_params(reranking={"k1": 0, "k2": 6, "lambda_value": 0.3}), "evaluate.reranking.k1"),
    ],
)
def test_bad_input_ends_with_one_clear_message_and_no_result(app, project, spoil, message):
    spoil(project)
    result = CliRunner().invoke(app)
    assert result.exit_code == 1
    assert message in result.stderr
    assert result.stderr.count("error:") == 1
    assert all(part in result.stderr for part in ("expected:", "found:", "remedy:"))
    assert "Traceback" not in result.stderr
    assert written() == {}
