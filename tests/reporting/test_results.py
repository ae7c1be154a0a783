"""Result files: what they say and that they repeat to the byte. CPU, seconds."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.retrieval.made import feature_set, features_of, random_features
from vireid.datasets.protocols import all_protocols, protocol_named
from vireid.reporting.results import nested_metrics, write_cmc, write_evaluation, write_metrics
from vireid.reporting.results_table import print_results
from vireid.retrieval.evaluation import evaluate
from vireid.support.files import sha256

RANKS = (1, 5)
NAMES = [name for name in all_protocols() if name.startswith("synthetic/")]


@pytest.fixture(scope="module")
def features():
    return random_features(noise=0.5)


@pytest.fixture(scope="module")
def evaluations(features):
    return [evaluate(features, protocol_named(name), RANKS) for name in NAMES]


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
    assert list(table) == ["protocol", "rank", "matched"]
    assert list(table["protocol"].unique()) == NAMES
    for evaluation, (_, rows) in zip(evaluations, table.groupby("protocol", sort=False), strict=True):
        assert rows["rank"].tolist() == list(range(1, 31))
        np.testing.assert_allclose(rows["matched"], 100 * evaluation.cmc.mean(axis=0), atol=1e-4)
        assert rows["matched"].is_monotonic_increasing


def test_long_cmc_is_cut(tmp_path):
    images = [(pid, camid) for pid in range(1, 121) for camid in (1, 6)]
    visible, infrared = (
        feature_set([item for item in images if item[1] == camid], np.eye(120)) for camid in (1, 6)
    )
    write_cmc(tmp_path / "cmc.csv", [evaluate(features_of(visible, infrared), protocol_named(NAMES[0]), (1,))])
    assert pd.read_csv(tmp_path / "cmc.csv")["rank"].tolist() == list(range(1, 101))


def printed(capsys, monkeypatch, evaluations, columns=None):
    """What a terminal of some columns shows; without them what a pipe gets."""
    if columns is None:
        monkeypatch.delenv("COLUMNS", raising=False)
    else:
        monkeypatch.setenv("COLUMNS", str(columns))
    print_results("made [/w triplet]", evaluations)
    return capsys.readouterr().out


def test_table_shows_every_protocol_and_what_was_skipped(evaluations, capsys, monkeypatch):
    text = printed(capsys, monkeypatch, evaluations)
    lines = text.splitlines()
    assert lines[0] == "made [/w triplet]"
    assert lines[2].split() == ["protocol", "rank1", "rank5", "mAP", "mINP", "queries", "gallery"]
    for evaluation in evaluations:
        (row,) = (line.split() for line in lines if line.split()[:1] == [evaluation.protocol.name])
        means = [f"{100 * value:.2f}" for value in evaluation.means.values()]
        assert row[1:] == [*means, "120", str(evaluation.gallery_size)]
    for mode, cells in (("all", 120), ("indoor", 60)):
        assert f"{mode}_search/multi_shot: {cells} pairs of identity and camera have fewer than 10" in text
    assert "match" not in text


def test_table_shows_the_interval_below_each_mean(evaluations, capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, evaluations[:1]).splitlines()
    for label, end in (("95 % from", 0), ("to", 1)):
        (row,) = (line.split(label)[1].split() for line in lines if line.strip().startswith(label))
        assert row == [f"{100 * interval[end]:.2f}" for interval in evaluations[0].intervals.values()]


@pytest.mark.parametrize("columns", [120, 80, 60, 40, None])
def test_no_digit_is_cut_at_any_width(columns, capsys, monkeypatch):
    """Also of names as long as `manifest/*`, which fold where the terminal is narrow and stay whole in a pipe."""
    features = random_features(noise=0.5)
    features = replace(features, info=replace(features.info, dataset="manifest"))
    result = evaluate(features, protocol_named("manifest/visible_to_infrared/single_shot"), RANKS)
    text = printed(capsys, monkeypatch, [result], columns)
    assert "\N{HORIZONTAL ELLIPSIS}" not in text
    for value in [*result.means.values(), *(end for ends in result.intervals.values() for end in ends)]:
        assert re.search(rf"(?<![\d.]){100 * value:.2f}(?!\d)", text)
    assert ("manifest/visible_to_infrared/single_shot" in text) == (columns in (None, 120))


def test_table_tells_valid_from_all_queries(features, capsys, monkeypatch):
    strangers = replace(features.infrared, pid=np.where(features.infrared.pid == 5, 99, features.infrared.pid))
    result = evaluate(features_of(features.visible, strangers), protocol_named(NAMES[0]), RANKS)
    text = printed(capsys, monkeypatch, [result])
    assert " 116/120 " in text
    assert "with a match" in text


@pytest.fixture
def small():
    """Results of 13 identities, of which rank 20 was asked."""
    features = random_features(pids=range(1, 14), noise=0.5)
    return [evaluate(features, protocol_named(name), (1, 20)) for name in NAMES[:2]]


def test_rank_beyond_the_gallery_is_blank_in_the_table_and_said_once(small, capsys, monkeypatch):
    lines = printed(capsys, monkeypatch, small).splitlines()
    (row,) = (line.split() for line in lines if line.strip().startswith(NAMES[0]))
    assert row[1:3] == [f"{100 * small[0].means['rank1']:.2f}", "\N{EN DASH}"]
    assert lines.count("rank 20: blank, as the gallery has 13 identities") == 1


def test_rank_beyond_the_gallery_is_in_no_file(small, features, tmp_path):
    (tmp_path / "features.h5").touch()
    write_evaluation(tmp_path / "evaluation.json", small, features, tmp_path / "features.h5")
    stored = json.loads((tmp_path / "evaluation.json").read_text())["protocols"][NAMES[0]]
    assert stored["blank_ranks"] == [20]
    for numbers in (stored["mean"], stored["std"], stored["interval95"], stored["trials"][0]):
        assert "rank1" in numbers
        assert "rank20" not in numbers
    assert set(nested_metrics(small)["synthetic"]["all_search"]["single_shot"]) == {"rank1", "mAP", "mINP"}
    write_cmc(tmp_path / "cmc.csv", small)
    assert pd.read_csv(tmp_path / "cmc.csv")["rank"].max() == 13


def test_junk_is_counted_in_table_and_file(features, tmp_path, capsys, monkeypatch):
    pids = np.where(features.visible.pid == 5, -1, features.visible.pid)
    marked = features_of(replace(features.visible, pid=pids), features.infrared)
    results = [evaluate(marked, protocol_named(NAMES[0]), RANKS)]
    text = printed(capsys, monkeypatch, results)
    assert "negative (junk): 0 query images and 12 gallery images" in text
    (tmp_path / "features.h5").touch()
    write_evaluation(tmp_path / "evaluation.json", results, marked, tmp_path / "features.h5")
    stored = json.loads((tmp_path / "evaluation.json").read_text())["protocols"][NAMES[0]]
    assert (stored["junk_queries"], stored["junk_gallery"]) == (0, 12)
