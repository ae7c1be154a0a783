"""Ranking metrics: worked by hand, against a slow oracle and two libraries, by their properties. CPU, seconds."""

import doctest
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import average_precision_score

from tests.reference.ranking import score_query
from vireid.retrieval import distances, galleries, ranking, scoring
from vireid.retrieval.counting import Tally
from vireid.retrieval.ranking import JUNK_KEY, cumulative_matching, ranking_keys


def keys_of(distmat, query_pids, gallery_pids, junk=None):
    distmat = torch.as_tensor(distmat, dtype=torch.float32)
    match = torch.as_tensor(query_pids)[:, None] == torch.as_tensor(gallery_pids)
    junk = torch.zeros_like(match) if junk is None else torch.as_tensor(junk)
    return ranking_keys(distmat, match, junk)


def together(pids):
    """Order a gallery so that the images of each identity stand where its first one does."""
    _, first, identity = np.unique(pids, return_index=True, return_inverse=True)
    return np.argsort(first[identity], kind="stable")


def scores_of(distmat, query_pids, gallery_pids, junk=None):
    """Score queries in one gallery, which is shown in as many parts as it has identities."""
    columns = together(gallery_pids)
    junk = None if junk is None else np.asarray(junk)[:, columns]
    pids = np.asarray(gallery_pids)[columns]
    keys = keys_of(np.asarray(distmat)[:, columns], query_pids, pids, junk)
    match_keys = keys.masked_fill((keys & 1) == 0, JUNK_KEY).sort(1).values
    values = []
    with ThreadPoolExecutor(1) as threads:
        for counting in ("identity", "image"):
            tally = Tally(match_keys, pids, np.ones((len(pids), 1), bool), counting, threads)
            for part in np.split(np.arange(len(pids)), np.flatnonzero(np.diff(pids)) + 1):
                tally.add(slice(0, len(keys)), keys[:, part], int(part[0]))
            values.append(tally.scores())
    identity, image = values
    np.testing.assert_array_equal(identity.average_precision, image.average_precision)
    columns = identity.match_ranks, image.match_ranks, image.average_precision, image.inverse_negative_penalty
    return [column[:, 0].tolist() for column in columns]


def random_case(seed, queries=20, gallery=30, levels=None):
    """Distances with many ties if `levels` is small, identities that some queries do not find, and junk."""
    generator = np.random.default_rng(seed)
    distmat = generator.random((queries, gallery), dtype=np.float32)
    if levels:
        distmat = np.floor(distmat * levels).astype(np.float32) / levels
    junk = generator.random((queries, gallery)) < 0.3
    return distmat, generator.integers(0, 9, queries), generator.integers(0, 8, gallery), junk


@pytest.mark.parametrize("module", [ranking, distances, galleries, scoring])
def test_examples_in_docstrings_are_true(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed


def test_one_query_worked_by_hand():
    # Ranking: 7 7 5 8 5, query 5. Identities in order 7 5 8; matches at ranks 3 and 5.
    identity, image, precision, penalty = scores_of([[0.1, 0.2, 0.3, 0.5, 0.4]], [5], [7, 7, 5, 5, 8])
    assert identity == [2]
    assert image == [3]
    assert precision == [pytest.approx((1 / 3 + 2 / 5) / 2)]
    assert penalty == [pytest.approx(2 / 5)]


def test_three_queries_worked_by_hand():
    distmat = [[1, 2, 3, 4], [4, 3, 2, 1], [2, 1, 4, 3]]
    # Rankings of pids [1, 2, 1, 3]: 1 2 1 3 | 3 1 2 1 | 2 1 3 1
    identity, image, precision, penalty = scores_of(distmat, [1, 1, 3], [1, 2, 1, 3])
    assert identity == [1, 2, 3]
    assert image == [1, 2, 3]
    assert precision == pytest.approx([(1 + 2 / 3) / 2, (1 / 2 + 2 / 4) / 2, 1 / 3])
    assert penalty == pytest.approx([2 / 3, 2 / 4, 1 / 3])
    assert cumulative_matching(torch.tensor(identity), 3).tolist() == pytest.approx([1 / 3, 2 / 3, 1])


def test_junk_is_ignored_be_it_a_match_or_not():
    junk = [[True, False, True, False]]
    identity, image, precision, penalty = scores_of([[0.1, 0.2, 0.3, 0.4]], [1], [2, 3, 1, 1], junk)
    assert (identity, image) == ([2], [2])  # left: 3, then 1
    assert (precision, penalty) == ([0.5], [0.5])


def test_query_without_match_has_rank_zero_and_no_score():
    identity, image, precision, penalty = scores_of([[0.1, 0.2], [0.1, 0.2]], [9, 1], [1, 2])
    assert identity == [0, 1]
    assert image == [0, 1]
    assert np.isnan(precision[0])
    assert np.isnan(penalty[0])
    assert (precision[1], penalty[1]) == (1, 1)


def test_query_whose_only_match_is_junk_has_no_match():
    identity, _, precision, _ = scores_of([[0.1, 0.2]], [1], [1, 2], [[True, False]])
    assert identity == [0]
    assert np.isnan(precision[0])


def test_no_query_with_match_at_all():
    identity, _, precision, penalty = scores_of([[0.1, 0.2]] * 2, [8, 9], [1, 2])
    assert identity == [0, 0]
    assert np.isnan(precision).all()
    assert np.isnan(penalty).all()


def test_queries_without_match_are_left_out_of_cmc():
    assert cumulative_matching(torch.tensor([0, 1, 3, 0]), 3).tolist() == [0.5, 0.5, 1]


@pytest.mark.parametrize(("gallery_pids", "rank"), [([1, 2, 3, 4], 1), ([4, 3, 2, 1], 4)])
def test_ties_keep_the_gallery_order(gallery_pids, rank):
    identity, image, precision, _ = scores_of([[0.5] * 4], [1], gallery_pids)
    assert (identity, image) == ([rank], [rank])
    assert precision == [pytest.approx(1 / rank)]


def test_negative_zero_ties_with_zero():
    assert scores_of([[0.0, -0.0]], [1], [2, 1])[0] == [2]
    assert scores_of([[-0.0, 0.0]], [1], [2, 1])[0] == [2]


def test_negative_and_infinite_distances_keep_their_order():
    keys = keys_of([[3.0, -1.0, float("inf"), -2.0, 0.0, float("-inf")]], [1], [1, 2, 3, 4, 5, 6])
    assert keys.argsort(dim=1).tolist() == [[5, 3, 1, 4, 0, 2]]


def test_junk_ranks_behind_an_infinite_distance():
    assert scores_of([[float("inf"), 0.0]], [1], [1, 2], [[False, True]])[0] == [1]


def test_other_distances_than_float32_are_refused():
    flags = torch.zeros(1, 1, dtype=torch.bool)
    with pytest.raises(ValueError, match="float64"):
        ranking_keys(torch.zeros(1, 1, dtype=torch.float64), flags, flags)


def test_cmc_by_identity_counts_distinct_identities_and_by_image_counts_images():
    identity, image, _, _ = scores_of([[0.1, 0.2, 0.3, 0.4]], [1], [2, 2, 2, 1])
    assert (identity, image) == ([2], [4])


@pytest.mark.parametrize("levels", [None, 4])
@pytest.mark.parametrize("seed", range(5))
def test_scores_agree_with_slow_oracle(seed, levels):
    case = random_case(seed, levels=levels)
    distmat, query_pids, gallery_pids, junk = case
    found = zip(*scores_of(*case), strict=True)
    missing = 0
    columns = together(gallery_pids)
    distmat, gallery_pids, junk = distmat[:, columns], gallery_pids[columns], junk[:, columns]
    for query, scores in enumerate(found):
        expected = score_query(distmat[query].tolist(), query_pids[query], gallery_pids, junk[query])
        missing += expected is None
        expected = (0, 0, np.nan, np.nan) if expected is None else expected
        assert scores == pytest.approx(tuple(expected), nan_ok=True, rel=1e-12)
    assert missing < len(distmat)


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_agrees_with_a_library(seed):
    distmat, _, gallery_pids, _ = random_case(seed)
    query_pids = gallery_pids[: len(distmat)]  # each has a match
    precision = scores_of(distmat, query_pids, gallery_pids)[2]
    for query, pid in enumerate(query_pids):
        match = gallery_pids == pid
        assert precision[query] == pytest.approx(average_precision_score(match, -distmat[query]))


distance_matrices = arrays(np.float32, (4, 12), elements=st.floats(0, 100, width=32))
labels = arrays(np.int64, 12, elements=st.integers(0, 4))


@settings(max_examples=50, deadline=None)
@given(distmat=distance_matrices, gallery_pids=labels)
def test_scores_survive_a_strictly_increasing_transform(distmat, gallery_pids):
    # Places among the distinct values, a transform that float32 holds exactly; ties stay ties.
    transformed = np.unique(distmat, return_inverse=True)[1].reshape(distmat.shape).astype(np.float32) - 7
    before, after = (scores_of(matrix, range(4), gallery_pids) for matrix in (distmat, transformed))
    np.testing.assert_array_equal(before, after)


@settings(max_examples=50, deadline=None)
@given(order=st.permutations(range(12)), gallery_pids=labels, seed=st.integers(0, 1000))
def test_scores_survive_a_permuted_gallery_without_ties(order, gallery_pids, seed):
    distmat = np.random.default_rng(seed).permuted(np.tile(np.arange(12), (4, 1)), axis=1)
    before = scores_of(distmat, range(4), gallery_pids)
    after = scores_of(distmat[:, order], range(4), gallery_pids[order])
    np.testing.assert_array_equal(before, after)


@settings(max_examples=50, deadline=None)
@given(distmat=distance_matrices, gallery_pids=labels)
def test_cmc_by_identity_is_never_below_cmc_by_image_and_equal_at_rank_one(distmat, gallery_pids):
    identity, image, _, _ = (np.array(values) for values in scores_of(distmat, range(4), gallery_pids))
    assert (identity <= image).all()
    np.testing.assert_array_equal(identity == 1, image == 1)


@settings(max_examples=50, deadline=None)
@given(gallery_pids=labels)
def test_perfect_distances_score_one(gallery_pids):
    distmat = (np.arange(5)[:, None] != gallery_pids).astype(np.float32)
    present = np.isin(np.arange(5), gallery_pids)
    for values in scores_of(distmat, range(5), gallery_pids):
        assert (np.array(values)[present] == 1).all()
