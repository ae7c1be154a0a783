"""Protocols by re-ranking: against the slow oracle with junk, trial by trial, by properties. CPU, seconds."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from tests.reference import reranking as oracle
from tests.reference.ranking import score_query
from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.datasets.protocols import protocol_named
from vireid.params import Reranking
from vireid.retrieval import neighbours, reranked
from vireid.retrieval.distance_blocks import all_pairs
from vireid.retrieval.evaluation import evaluate
from vireid.retrieval.reranked import rerank

PAPER = Reranking(k1=20, k2=6, lambda_value=0.3)
FEW = Reranking(k1=6, k2=3, lambda_value=0.3)
ALL = protocol_named("synthetic/all_search/single_shot")
RANKS = (1, 5)


@pytest.fixture(scope="module")
def features():
    return random_features(pids=range(12), visible=2, infrared=2, noise=0.7)


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def reranked_by_loops(features, original, trial, settings):
    """Score every query of a trial: distances of all images, the oracle's re-ranking, then junk."""
    selection = original.selection
    queries, gallery = selection.query_rows[trial], selection.gallery_rows[trial]
    infrared, visible = (
        part.embeddings["bn"].astype(np.float64) for part in (features.infrared, features.visible)
    )
    vectors = np.concatenate([infrared[queries], visible[gallery]])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    distmat = cdist(vectors, vectors).astype(np.float32).astype(np.float64) ** 2
    final = oracle.rerank(distmat.tolist(), len(queries), settings.k1, settings.k2, settings.lambda_value)
    pids, camids = features.visible.pid[gallery], features.visible.camid[gallery]
    return [
        score_query(row, features.infrared.pid[query], pids, (features.infrared.camid[query] == 3) & (camids == 2))
        for query, row in zip(queries, np.float32(final), strict=True)
    ]


@pytest.mark.parametrize("settings", [PAPER, FEW])
@pytest.mark.parametrize("shots", [1, 2])
def test_reranked_trials_agree_with_slow_oracle(features, settings, shots):
    original = evaluate(features, replace(ALL, shots=shots, trials=2), RANKS)
    (result,) = rerank(features, [original], settings)
    assert (result.reranked.average_precision != original.average_precision).any()
    for trial in range(2):
        expected = reranked_by_loops(features, original, trial, settings)
        assert result.reranked.match_ranks[trial].tolist() == [score.identity_rank for score in expected]
        precisions = [score.average_precision for score in expected]
        assert result.reranked.average_precision[trial].tolist() == pytest.approx(precisions)
        penalties = [score.inverse_negative_penalty for score in expected]
        assert result.reranked.inverse_negative_penalty[trial].tolist() == pytest.approx(penalties)


def test_original_results_are_kept_and_parameters_stand_beside_the_new(features):
    original = evaluate(features, ALL, RANKS)
    (result,) = rerank(features, [original], PAPER)
    assert result.means == original.means
    assert (original.reranked, result.reranking, result.reranked.reranking) == (None, None, PAPER)


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_lambda_of_1_gives_the_original_results(features, distance):
    original = evaluate(features, replace(ALL, distance=distance), RANKS)
    (result,) = rerank(features, [original], Reranking(k1=20, k2=6, lambda_value=1.0))
    assert result.reranked.means == original.means


def test_distances_of_unit_vectors_rerank_alike(features):
    results = [evaluate(features, replace(ALL, distance=distance), RANKS) for distance in ("euclidean", "cosine")]
    euclidean, cosine = (result.reranked.means for result in rerank(features, results, PAPER))
    assert euclidean == pytest.approx(cosine)


def test_perfect_embedding_stays_perfect():
    features = random_features(noise=0)
    (result,) = rerank(features, [evaluate(features, ALL, RANKS)], PAPER)
    assert set(result.reranked.means.values()) == {1.0}


def test_drawn_queries_are_reranked_among_themselves():
    images = layout(range(6), (1, 2, 4), 3)
    generator = np.random.default_rng(5)
    sets = [feature_set(images, generator.standard_normal((len(images), 3))) for _ in range(2)]
    features = features_of(*sets, "llcm")
    original = evaluate(features, protocol_named("llcm/visible_to_infrared_as_released"), RANKS)
    (result,) = rerank(features, [original], FEW)
    assert result.reranked.match_ranks.shape == original.match_ranks.shape == (10, 18)
    alone = replace(
        original.selection,
        asked=original.selection.asked[4:5],
        galleries=original.selection.galleries[4:5],
    )
    (single, again) = rerank(features, [replace(original, selection=alone), original], FEW)
    np.testing.assert_array_equal(again.reranked.match_ranks, result.reranked.match_ranks)
    np.testing.assert_array_equal(single.reranked.match_ranks[0], result.reranked.match_ranks[4])


def test_a_large_single_trial_is_searched_by_index_with_the_same_result(features, monkeypatch):
    original = evaluate(features, replace(ALL, trials=1), RANKS)
    (by_blocks,) = rerank(features, [original], FEW)
    calls = []
    search = reranked.find_neighbours_by_index
    monkeypatch.setattr(reranked, "find_neighbours_by_index", lambda *given: calls.append(1) or search(*given))
    monkeypatch.setattr(reranked, "_INDEXED", 10)
    (by_index,) = rerank(features, [original], FEW)
    assert calls == [1]
    np.testing.assert_array_equal(by_index.reranked.average_precision, by_blocks.reranked.average_precision)


@pytest.mark.parametrize("held", [0, 1 << 27])
def test_progress_ends_at_its_total(features, monkeypatch, held):
    monkeypatch.setattr(reranked, "_HELD", held)
    original = evaluate(features, ALL, RANKS)
    work = reranked._RerankedEvaluations(features, [original, original], FEW)
    steps = []
    work.evaluate(steps.append)
    assert sum(steps) == work.distances


TOGETHER = [
    *(replace(ALL, shots=shots, trials=trials) for shots, trials in ((1, 3), (2, 1))),
    replace(ALL, distance="cosine"),
    replace(ALL, normalise=False),
    replace(ALL, exclusion="none"),
    replace(ALL, cmc_counting="image"),
    protocol_named("synthetic/indoor_search/single_shot"),
]


@pytest.mark.parametrize(("held", "indexed"), [(0, 1000), (1 << 27, 1000), (1 << 27, 10)])
def test_protocols_are_reranked_together_as_if_alone(features, monkeypatch, four_threads, held, indexed):
    originals = [evaluate(features, protocol, RANKS) for protocol in TOGETHER]
    torch.set_num_threads(1)
    alone = [rerank(features, [original], FEW)[0] for original in originals]
    torch.set_num_threads(4)  # so many trials and blocks of neighbours at a time
    monkeypatch.setattr(reranked, "_HELD", held)
    monkeypatch.setattr(reranked, "_FINAL", held)
    monkeypatch.setattr(reranked, "_INDEXED", indexed)
    monkeypatch.setattr(neighbours, "_BLOCK_ITEMS", 200)
    calls = []
    monkeypatch.setattr(reranked, "all_pairs", lambda *given: calls.append(given[1]) or all_pairs(*given))
    for single, together in zip(alone, rerank(features, originals, FEW), strict=True):
        np.testing.assert_array_equal(single.reranked.match_ranks, together.reranked.match_ranks)
        np.testing.assert_array_equal(single.reranked.average_precision, together.reranked.average_precision)
        assert together.reranked.protocol == single.protocol
    assert calls == (["euclidean", "cosine", "euclidean"] if held else [])
    ranks = [original.reranked.match_ranks.tolist() for original in alone]
    assert len({str(rank) for rank in ranks}) > 4  # the protocols do differ
