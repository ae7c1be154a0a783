"""K-reciprocal re-ranking: against a slow oracle, worked by hand, by properties, and its memory. CPU, seconds."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csc_array
from scipy.spatial.distance import cdist

from tests.reference import reranking as oracle
from vireid.params import Reranking
from vireid.retrieval import distance_blocks, reranking
from vireid.retrieval.distance_blocks import MatrixDistances, VectorDistances
from vireid.retrieval.neighbours import find_neighbours
from vireid.retrieval.reranking import (
    EXPONENTS,
    Reranker,
    encode,
    expanded_neighbours,
    jaccard_distances,
    neighbours_needed,
    reciprocal_neighbours,
    rerank_matrix,
)


def parameters(k1, k2, lambda_value):
    return Reranking(k1=k1, k2=k2, lambda_value=lambda_value)


PAPER = parameters(20, 6, 0.3)
any_parameters = st.builds(
    parameters, st.integers(1, 25), st.integers(1, 10), st.sampled_from([0.0, 0.3, 0.5, 1.0])
)


def points(count, seed=0, identities=6):
    """Draw points that scatter around few centres, so that neighbourhoods overlap."""
    generator = np.random.default_rng(seed)
    centres = 2 * generator.standard_normal((identities, 4))
    return centres[generator.integers(identities, size=count)] + generator.standard_normal((count, 4))


def squared(vectors):
    return cdist(vectors, vectors, "sqeuclidean").astype(np.float32)


def from_vectors(vectors, num_queries, distance, settings):
    """Re-rank without a matrix of all pairs."""
    block = VectorDistances(torch.from_numpy(vectors), distance)
    items = np.arange(len(vectors))
    (near,) = find_neighbours(block, [items], neighbours_needed(settings), lambda images: None)
    return Reranker(block, near, num_queries, EXPONENTS[distance], settings).all_distances()


def slow(distmat, num_queries, chosen):
    values = distmat.astype(np.float64).tolist()
    return np.array(oracle.rerank(values, num_queries, chosen.k1, chosen.k2, chosen.lambda_value))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 45), st.data(), any_parameters, st.integers(0, 99))
def test_reranking_agrees_with_slow_oracle(count, data, chosen, seed):
    num_queries = data.draw(st.integers(1, count - 1))
    distmat = squared(points(count, seed))
    expected = slow(distmat, num_queries, chosen)
    np.testing.assert_allclose(rerank_matrix(distmat, num_queries, 1, chosen), expected, rtol=0, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), any_parameters, st.integers(0, 99), st.sampled_from(list(EXPONENTS)))
def test_reranking_of_vectors_agrees_with_slow_oracle(count, chosen, seed, distance):
    vectors = points(count, seed)
    distmat = VectorDistances(torch.from_numpy(vectors), distance)(np.arange(count), slice(None))
    expected = slow(distmat.astype(np.float64) ** EXPONENTS[distance], 1, chosen)
    np.testing.assert_allclose(from_vectors(vectors, 1, distance, chosen), expected, rtol=0, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.integers(4, 40), any_parameters, st.integers(0, 99))
def test_reranking_of_duplicates_agrees_with_slow_oracle(count, chosen, seed):
    grid = np.random.default_rng(seed).integers(0, 3, (count, 2)).astype(float)
    num_queries = count // 2
    expected = slow(squared(grid), num_queries, chosen)
    np.testing.assert_allclose(rerank_matrix(squared(grid), num_queries, 1, chosen), expected, rtol=0, atol=1e-7)


def test_reranking_of_distances_that_are_not_symmetric_agrees_with_slow_oracle():
    distmat = np.random.default_rng(3).random((30, 30), np.float32)
    np.fill_diagonal(distmat, 0)
    np.testing.assert_allclose(rerank_matrix(distmat, 12, 1, PAPER), slow(distmat, 12, PAPER), atol=1e-7)


def test_four_points_worked_by_hand():
    # On a line at 0 (query), 1, 3 and 4. With k1 = 1, the query and 1 are each other's nearest, as are 3 and 4;
    # half of 1 rounds to 0, so nothing is added. From the query, squared distances are 1, 9 and 16, the furthest
    # 16; from 1 they are 1, 4 and 9, the furthest 9.
    distmat = squared(np.array([[0.0], [1], [3], [4]]))
    query, first = np.array([1, math.exp(-1 / 16)]), np.array([math.exp(-1 / 9), 1])
    shared = np.minimum(query / query.sum(), first / first.sum()).sum()
    expected = [1 - shared / (2 - shared), 1, 1]
    result = rerank_matrix(distmat, 1, 1, Reranking(k1=1, k2=1, lambda_value=0.0))
    np.testing.assert_allclose(result[0], expected, atol=1e-7)
    mixed = rerank_matrix(distmat, 1, 1, Reranking(k1=1, k2=1, lambda_value=0.3))
    np.testing.assert_allclose(mixed[0], 0.7 * np.array(expected) + 0.3 * np.array([1, 9, 16]) / 16, atol=1e-7)


def test_reciprocal_neighbours_worked_by_hand():
    # 2 is nearest to 0, but 2 has 1 and 3 nearer.
    nearest = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 3], [3, 2, 1]])
    assert reciprocal_neighbours(nearest, 2).toarray().tolist() == [
        [1, 1, 0, 0],
        [1, 1, 1, 0],
        [0, 1, 1, 1],
        [0, 0, 1, 1],
    ]


def test_two_thirds_of_a_neighbourhood_are_not_enough():
    # k1 = 4, so neighbourhoods of 5 and of 3 images. Of the three around 3, {2, 3, 4}, image 0 knows only 2 and 3.
    nearest = np.array(
        [
            [0, 1, 2, 3, 5],
            [1, 0, 2, 3, 5],
            [2, 3, 4, 0, 1],
            [3, 2, 4, 0, 1],
            [4, 3, 2, 5, 6],
            [5, 0, 1, 2, 3],
            [6, 4, 5, 2, 3],
        ]
    )
    assert reciprocal_neighbours(nearest, 4).toarray()[0].tolist() == [1, 1, 1, 1, 0, 1, 0]
    assert reciprocal_neighbours(nearest, 2).toarray()[3].tolist() == [0, 0, 1, 1, 1, 0, 0]
    assert expanded_neighbours(nearest, 4).toarray()[0, 4] == 0


def test_half_of_k1_is_rounded_to_the_even_number():
    distmat = squared(points(60))
    nearest = find_neighbours(MatrixDistances(distmat), [np.arange(60)], 12, lambda images: None)[0].nearest
    for k1, half in ((7, 4), (9, 4), (10, 5), (11, 6)):
        own = reciprocal_neighbours(nearest, k1).toarray() > 0
        halves = reciprocal_neighbours(nearest, half).toarray() > 0
        expected = own.copy()
        for i, j in zip(*own.nonzero(), strict=True):
            if 3 * (halves[j] & own[i]).sum() > 2 * halves[j].sum():
                expected[i] |= halves[j]
        assert (expected > own).any()
        assert ((expanded_neighbours(nearest, k1).toarray() > 0) == expected).all()


def test_encodings_sum_to_one_and_keep_only_neighbours():
    distmat = squared(points(2000, identities=100))
    (near,) = find_neighbours(
        MatrixDistances(distmat), [np.arange(2000)], neighbours_needed(PAPER), lambda images: None
    )
    encodings = encode(MatrixDistances(distmat), near, 1, PAPER)
    np.testing.assert_allclose(encodings.sum(axis=1), 1, rtol=1e-12)
    expanded = expanded_neighbours(near.nearest, PAPER.k1)
    assert np.diff(expanded.indptr).max() <= (PAPER.k1 + 1) * (PAPER.k1 // 2 + 2)
    assert np.diff(expanded.indptr).mean() < 2 * PAPER.k1
    assert encodings.nnz < 2000 * 2 * PAPER.k1 * PAPER.k2 < 2000 * 2000


def test_memory_grows_with_the_images_and_not_with_their_pairs():
    kept = []
    for count in (1000, 4000):
        distmat = squared(points(count, identities=count // 20))
        block = MatrixDistances(distmat)
        (near,) = find_neighbours(block, [np.arange(count)], neighbours_needed(PAPER), lambda images: None)
        kept.append(encode(block, near, 1, PAPER).nnz)
    assert 3 < kept[1] / kept[0] < 5


def test_no_query_expansion_for_k2_of_1():
    distmat = squared(points(40))
    (near,) = find_neighbours(MatrixDistances(distmat), [np.arange(40)], 21, lambda images: None)
    encodings = encode(MatrixDistances(distmat), near, 1, parameters(20, 1, 0.3))
    pattern = expanded_neighbours(near.nearest, 20)
    assert ((encodings.toarray() > 0) == (pattern.toarray() > 0)).all()


@pytest.mark.parametrize("distance", EXPONENTS)
def test_lambda_of_1_keeps_the_order(distance):
    vectors = points(60)
    original = VectorDistances(torch.from_numpy(vectors), distance)(np.arange(20), np.arange(20, 60))
    result = from_vectors(vectors, 20, distance, parameters(20, 6, 1.0))
    np.testing.assert_array_equal(result.argsort(axis=1, kind="stable"), original.argsort(axis=1, kind="stable"))


def test_lambda_of_0_leaves_only_the_jaccard_distance():
    result = rerank_matrix(squared(points(60, identities=20)), 20, 1, parameters(5, 3, 0.0))
    assert (result == 1).any()  # nothing shared
    assert (result[result < 1] >= 0).all()


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False), any_parameters)
def test_permuting_queries_and_gallery_permutes_the_result(random, chosen):
    vectors = points(40)
    queries, gallery = list(range(15)), list(range(15, 40))
    random.shuffle(queries)
    random.shuffle(gallery)
    order = np.array(queries + gallery)
    distmat = squared(vectors)
    expected = rerank_matrix(distmat, 15, 1, chosen)[np.ix_(queries, np.array(gallery) - 15)]
    np.testing.assert_allclose(rerank_matrix(distmat[np.ix_(order, order)], 15, 1, chosen), expected, atol=1e-7)


def test_scale_of_the_distances_does_not_matter():
    distmat = squared(points(40))
    np.testing.assert_array_equal(rerank_matrix(distmat, 9, 1, PAPER), rerank_matrix(1024 * distmat, 9, 1, PAPER))


def test_euclidean_distances_enter_squared():
    vectors = points(40)
    plain = cdist(vectors, vectors).astype(np.float32)
    np.testing.assert_allclose(
        rerank_matrix(plain, 9, 2, PAPER), rerank_matrix(squared(vectors), 9, 1, PAPER), atol=1e-6
    )


def test_cosine_and_euclidean_of_unit_vectors_rerank_alike():
    vectors = points(60)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    by_cosine, by_euclidean = (from_vectors(vectors, 20, distance, PAPER) for distance in ("cosine", "euclidean"))
    np.testing.assert_allclose(by_cosine, by_euclidean, atol=1e-6)


def test_all_images_at_one_point_stay_in_order():
    result = rerank_matrix(np.zeros((50, 50), np.float32), 10, 1, parameters(20, 6, 1.0))
    assert result.tolist() == [[0] * 40] * 10
    assert np.isfinite(rerank_matrix(np.zeros((50, 50), np.float32), 10, 1, PAPER)).all()


@pytest.mark.parametrize(("num_queries", "count"), [(1, 2), (1, 30), (29, 30), (1, 3)])
def test_one_query_or_one_gallery_image_is_enough(num_queries, count):
    distmat = squared(points(count))
    result = rerank_matrix(distmat, num_queries, 1, PAPER)
    assert result.shape == (num_queries, count - num_queries)
    np.testing.assert_allclose(result, slow(distmat, num_queries, PAPER), atol=1e-7)


@pytest.mark.parametrize("num_queries", [0, 5, 6])
def test_no_query_or_no_gallery_is_refused(num_queries):
    with pytest.raises(ValueError, match="of 5 images, 1 to 4 are queries"):
        rerank_matrix(squared(points(5)), num_queries, 1, PAPER)


def test_jaccard_distances_are_those_of_the_dense_definition(monkeypatch):
    generator = np.random.default_rng(0)
    dense = generator.random((30, 50)) * (generator.random((30, 50)) < 0.2)
    dense[4] = 0
    dense[4, 7] = 1
    dense /= dense.sum(axis=1, keepdims=True)
    queries, gallery = reranking.csr_array(dense[:12]), csc_array(dense[12:])
    shared = np.minimum(dense[:12, None], dense[None, 12:]).sum(axis=2)
    larger = np.maximum(dense[:12, None], dense[None, 12:]).sum(axis=2)
    for terms in (1, 40, 1 << 20):
        monkeypatch.setattr(reranking, "_TERMS", terms)
        np.testing.assert_allclose(jaccard_distances(queries, gallery), 1 - shared / larger, atol=1e-12)


def test_results_do_not_depend_on_how_many_rows_are_compared_at_a_time(monkeypatch):
    vectors = points(50)
    whole = from_vectors(vectors, 20, "euclidean", PAPER)
    monkeypatch.setattr(distance_blocks, "_ROWS_COMPARED", 3)
    np.testing.assert_array_equal(from_vectors(vectors, 20, "euclidean", PAPER), whole)


def test_queries_and_gallery_can_be_reranked_in_parts(monkeypatch):
    distmat = squared(points(50))
    block = MatrixDistances(distmat)
    (near,) = find_neighbours(block, [np.arange(50)], neighbours_needed(PAPER), lambda images: None)
    reranker = Reranker(block, near, 20, 1, PAPER)
    some = np.array([17, 3, 4])
    few = np.array([5, 29, 0])
    expected = rerank_matrix(distmat, 20, 1, PAPER)[np.ix_(some, few)]
    np.testing.assert_array_equal(reranker.distances(some, few), expected)
    monkeypatch.setattr(reranking, "_DISTANCES", 3 * 30)
    np.testing.assert_array_equal(reranker.all_distances()[np.ix_(some, few)], expected)
