"""Result files: what they say and that they repeat to the byte. CPU, seconds."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.retrieval.made import feature_set, features_of, random_features
from vireid.reporting.results import nested_metrics, write_cmc, write_evaluation, write_metrics
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
    assert (stored["source_hash"], stored["flip"], stored["train_identities"]) == ("cd" * 32, False, 0)
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


def test_cmc_has_a_row_for_each_protocol_and_rank_in_percent(evaluations, tmp_path):
    write_cmc(tmp_path / "cmc.csv", evaluations)
    table = pd.read_csv(tmp_path / "cmc.csv")
    assert list(table) == ["protocol", "rank", "found"]
    assert list(table["protocol"].unique()) == NAMES
    for evaluation, (_, rows) in zip(evaluations, table.groupby("protocol", sort=False), strict=True):
        assert rows["rank"].tolist() == list(range(1, 31))
        np.testing.assert_allclose(rows["found"], 100 * evaluation.cmc.mean(axis=0), atol=1e-4)
        assert rows["found"].is_monotonic_increasing


def test_long_cmc_is_cut(tmp_path):
    images = [(pid, camid) for pid in range(1, 121) for camid in (1, 6)]
    visible, infrared = (
        feature_set([item for item in images if item[1] == camid], np.eye(120)) for camid in (1, 6)
    )
    write_cmc(tmp_path / "cmc.csv", [evaluate(features_of(visible, infrared), protocol(NAMES[0]), (1,))])
    assert pd.read_csv(tmp_path / "cmc.csv")["rank"].tolist() == list(range(1, 101))


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
