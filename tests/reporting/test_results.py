"""Result files: what they say and that they repeat to the byte. CPU, seconds."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.retrieval.made import feature_set, features_of, random_features
from vireid.reporting.cmc import write_cmc
from vireid.reporting.results import nested_metrics, write_evaluation, write_metrics
from vireid.reporting.tables import results_table
from vireid.retrieval.evaluation import evaluate
from vireid.retrieval.protocols import PROTOCOLS, protocol
from vireid.support.files import sha256

RANKS = (1, 5)
NAMES = [name for name in PROTOCOLS if name.startswith("synthetic/")]


@pytest.fixture(scope="module")
def features():
    return random_features(noise=0.5)


@pytest.fixture(scope="module")
def evaluations(features):
    return [evaluate(features, protocol(name), RANKS) for name in NAMES]


def test_metrics_are_nested_percent_and_nothing_but_numbers(evaluations, tmp_path):
    write_metrics(tmp_path / "metrics.json", evaluations)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert set(metrics) == {"synthetic"}
    assert set(metrics["synthetic"]) == {"all_search", "indoor_search"}
    single = metrics["synthetic"]["all_search"]["single_shot"]
    assert list(single) == ["rank1", "rank5", "mAP", "mINP"]
    assert single["mAP"] == pytest.approx(100 * np.nanmean(evaluations[0].average_precision), abs=1e-6)
    assert all(isinstance(value, float) for value in single.values())


def test_evaluation_holds_all_that_stands_behind_a_number(features, evaluations, tmp_path):
    source, path = tmp_path / "features.h5", tmp_path / "evaluation.json"
    source.write_bytes(b"features")
    write_evaluation(path, evaluations, features, source)
    stored = json.loads(path.read_text())
    assert (stored["dataset"], stored["trial"], stored["embedding"]) == ("synthetic", 0, "bn")
    assert (stored["model_hash"], stored["superresolve"]) == ("ab" * 32, "none")
    assert stored["source_hash"] == "cd" * 32
    assert stored["features_hash"] == sha256(source)
    multi = stored["protocols"]["synthetic/indoor_search/multi_shot"]
    assert multi["protocol"]["gallery_camids"] == [1, 2]
    assert (multi["queries"], multi["valid_queries"], multi["skipped_queries"]) == (120, 120, 0)
    assert (multi["gallery_size"], multi["gallery_identities"], multi["short_cells"]) == (180, 30, 60)
    single = stored["protocols"]["synthetic/all_search/single_shot"]
    values = [trial["mAP"] for trial in single["trials"]]
    assert len(values) == 10
    assert single["mean"]["mAP"] == pytest.approx(np.mean(values), abs=1e-5)
    assert single["std"]["mAP"] == pytest.approx(np.std(values), abs=1e-5)
    assert {(trial["valid_queries"], trial["skipped_queries"]) for trial in single["trials"]} == {(120, 0)}
    assert list(single["interval95"]) == ["rank1", "rank5", "mAP", "mINP"]
    low, high = single["interval95"]["mAP"]
    assert 0 < low < single["mean"]["mAP"] < high < 100
    assert len({trial["gallery_hash"] for trial in single["trials"]}) == 10


def test_means_agree_between_metrics_and_evaluation(features, evaluations, tmp_path):
    (tmp_path / "features.h5").touch()
    write_evaluation(tmp_path / "evaluation.json", evaluations, features, tmp_path / "features.h5")
    stored = json.loads((tmp_path / "evaluation.json").read_text())["protocols"]
    mean = stored["synthetic/all_search/multi_shot"]["mean"]
    assert mean == pytest.approx(nested_metrics(evaluations)["synthetic"]["all_search"]["multi_shot"], abs=1e-6)


def test_cmc_is_a_wide_table_in_percent(evaluations, tmp_path):
    write_cmc(tmp_path / "cmc.csv", evaluations)
    table = pd.read_csv(tmp_path / "cmc.csv")
    assert list(table) == ["rank", *(name.removeprefix("synthetic/").replace("/", "_") for name in NAMES)]
    assert table["rank"].tolist() == list(range(1, 31))
    for evaluation, column in zip(evaluations, list(table)[1:], strict=True):
        np.testing.assert_allclose(table[column], 100 * evaluation.cmc.mean(axis=0), atol=1e-4)
        assert table[column].is_monotonic_increasing


def test_shorter_cmc_goes_on_at_its_end(tmp_path):
    visible = feature_set([(1, 1), (2, 1), (3, 4)], [[1.0], [2], [3]])
    infrared = feature_set([(1, 6), (2, 6), (3, 6)], [[1.0], [2], [3]])
    both = [
        evaluate(features_of(visible, infrared), replace(protocol(name), normalise=False), (1,))
        for name in ("synthetic/all_search/single_shot", "synthetic/indoor_search/single_shot")
    ]
    write_cmc(tmp_path / "cmc.csv", both)
    assert pd.read_csv(tmp_path / "cmc.csv")["indoor_search_single_shot"].tolist() == [100] * 3


def test_table_shows_every_protocol_and_what_was_skipped(evaluations):
    table = results_table("made", evaluations)
    assert table.row_count == 4
    assert [column.header for column in table.columns][1:] == [
        "rank1",
        "rank5",
        "mAP",
        "mINP",
        "queries",
        "gallery",
    ]
    for mode, cells in (("all", 120), ("indoor", 60)):
        assert (
            f"{mode}_search/multi_shot: {cells} pairs of identity and camera have fewer than 10" in table.caption
        )
    assert "match" not in table.caption


def test_table_tells_valid_from_all_queries(features):
    strangers = replace(features.infrared, pid=np.where(features.infrared.pid == 5, 99, features.infrared.pid))
    result = evaluate(features_of(features.visible, strangers), protocol(NAMES[0]), RANKS)
    table = results_table("made", [result])
    assert list(table.columns[-2].cells) == ["116/120"]
    assert "with a match" in table.caption
