"""From features to numbers: against a slow oracle, by properties, and what is refused. CPU, seconds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.ranking import evaluate_sysu
from tests.retrieval.made import feature_set, features_of, layout, random_features
from tests.retrieval.test_galleries import shuffled
from vireid.datasets.protocols import protocol_named
from vireid.retrieval import counting, evaluation, scoring
from vireid.retrieval.evaluation import evaluate, evaluate_protocols
from vireid.support.errors import UserError

ALL = protocol_named("synthetic/all_search/single_shot")
INDOOR = protocol_named("synthetic/indoor_search/single_shot")
MULTI = protocol_named("synthetic/all_search/multi_shot")
RANKS = (1, 5, 10, 20)


def images_of(features, modality):
    images = getattr(features, modality)
    columns = images.pid.tolist(), images.camid.tolist(), images.name, images.embeddings["bn"].tolist()
    return list(zip(*columns, strict=True))


@pytest.mark.parametrize("chosen", [ALL, INDOOR, replace(MULTI, shots=2)])
def test_evaluation_agrees_with_slow_oracle(chosen):
    features = random_features(pids=range(20), visible=3, infrared=1, noise=0.5)
    chosen = replace(chosen, trials=3)
    expected = evaluate_sysu(
        images_of(features, "infrared"),
        images_of(features, "visible"),
        chosen.gallery_camids,
        chosen.shots,
        chosen.trials,
        (1, 5, 20),
    )
    assert 0.1 < expected["rank1"] < 0.9
    assert evaluate(features, chosen, (1, 5, 20)).means == pytest.approx(expected, rel=1e-12)


def test_evaluation_of_many_ties_agrees_with_slow_oracle():
    features = random_features(pids=range(20), noise=0)
    coarse = [
        replace(images, embeddings={"bn": images.embeddings["bn"][:, :4] + 1})
        for images in (features.visible, features.infrared)
    ]
    features = features_of(*coarse)
    expected = evaluate_sysu(
        images_of(features, "infrared"), images_of(features, "visible"), (1, 2, 4, 5), 1, 10, (1, 5, 20)
    )
    assert evaluate(features, ALL, (1, 5, 20)).means == pytest.approx(expected, rel=1e-12)


def test_five_image_gallery_worked_by_hand():
    visible = feature_set([(1, 1), (1, 4), (2, 1), (2, 4), (3, 5)], [[1.0], [4], [2], [5], [3]])
    infrared = feature_set([(1, 6), (3, 3)], [[0.0], [0]])
    chosen = replace(ALL, normalise=False, trials=2)
    result = evaluate(features_of(visible, infrared), chosen, (1, 2, 3))
    # Both queries see 1 2 3 1 2: identity 1 at ranks 1 and 4, identity 3 at rank 3.
    assert result.match_ranks.tolist() == [[1, 3], [1, 3]]
    assert result.means["rank1"] == result.means["rank2"] == 0.5
    assert result.means["rank3"] == 1
    assert result.means["mAP"] == pytest.approx(((1 + 2 / 4) / 2 + 1 / 3) / 2)
    assert result.means["mINP"] == pytest.approx((2 / 4 + 1 / 3) / 2)
    assert result.cmc.tolist() == [[0.5, 0.5, 1], [0.5, 0.5, 1]]
    assert (result.gallery_size, result.valid_queries, result.skipped_queries) == (5, 2, 0)


def test_camera3_query_skips_camera2_gallery_of_every_identity():
    # In the way of the camera-4 match stand two closer camera-2 images, one of each identity.
    visible = feature_set([(1, 2), (2, 2), (1, 4), (2, 4)], [[0.0], [0.1], [1], [2]])
    chosen = replace(ALL, normalise=False, trials=1)
    from_3, from_6 = (
        evaluate(features_of(visible, feature_set([(2, camid)], [[0.0]])), chosen, (1, 2)) for camid in (3, 6)
    )
    assert from_3.average_precision[0, 0] == pytest.approx(1 / 2)  # 1 2
    assert from_6.average_precision[0, 0] == pytest.approx((1 / 2 + 2 / 4) / 2)  # 1 2 1 2
    assert from_3.gallery_size == from_6.gallery_size == 4


def test_query_without_match_is_skipped_and_counted():
    features = random_features(pids=range(1, 31))
    stranger = replace(features.infrared, pid=np.where(features.infrared.pid == 5, 99, features.infrared.pid))
    with_stranger = evaluate(features_of(features.visible, stranger), ALL, RANKS)
    assert (with_stranger.valid_queries, with_stranger.skipped_queries) == (116, 4)
    known = np.flatnonzero(features.infrared.pid != 5)
    everyone = evaluate(features, ALL, RANKS)
    expected = everyone.average_precision[:, known].mean()
    assert with_stranger.means["mAP"] == pytest.approx(expected)
    assert with_stranger.cmc[:, -1].tolist() == [1] * 10


def test_camera3_queries_of_camera2_identities_are_skipped_indoors():
    visible = feature_set([(1, 1), (1, 2), (2, 2)], [[1.0], [2], [3]])
    infrared = feature_set([(1, 3), (2, 3), (2, 6)], [[1.0], [1], [1]])
    result = evaluate(features_of(visible, infrared), replace(INDOOR, normalise=False), (1,))
    assert (result.match_ranks[0] > 0).tolist() == [True, False, True]


@pytest.mark.parametrize("name", ["all_search/single", "all_search/multi", "indoor_search/single"])
def test_perfect_embedding_scores_one(name):
    features = random_features(visible=12, noise=0)
    assert set(evaluate(features, protocol_named(f"synthetic/{name}_shot"), RANKS).means.values()) == {1.0}


@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
def test_distances_of_unit_vectors_rank_alike(distance):
    features = random_features(noise=0.5)
    assert evaluate(features, replace(ALL, distance=distance), RANKS).means == pytest.approx(
        evaluate(features, ALL, RANKS).means
    )


def test_normalising_ignores_length_and_its_absence_does_not():
    features = random_features(noise=0.5)
    vectors = features.visible.embeddings["bn"] * np.linspace(1, 9, len(features.visible))[:, None]
    longer = replace(features, visible=replace(features.visible, embeddings={"bn": vectors.astype("f4")}))
    assert evaluate(longer, ALL, RANKS).means == pytest.approx(evaluate(features, ALL, RANKS).means)
    plain = replace(ALL, normalise=False)
    assert evaluate(longer, plain, RANKS).means != pytest.approx(evaluate(features, plain, RANKS).means)


def test_counting_images_in_the_cmc_is_never_better():
    features = random_features(noise=0.5)
    by_identity, by_image = (
        evaluate(features, replace(ALL, cmc_counting=counting), RANKS) for counting in ("identity", "image")
    )
    assert by_image.cmc.shape == (10, 120)
    assert by_image.means["rank1"] == by_identity.means["rank1"]
    assert by_image.means["rank10"] < by_identity.means["rank10"]
    assert by_image.means["mAP"] == by_identity.means["mAP"]


def test_results_do_not_depend_on_the_order_of_the_file():
    features = random_features(noise=0.5)
    other = replace(features, visible=shuffled(features.visible), infrared=shuffled(features.infrared, 4))
    assert evaluate(other, MULTI, RANKS).means == pytest.approx(evaluate(features, MULTI, RANKS).means)


def test_results_do_not_depend_on_the_size_of_blocks(monkeypatch):
    features = random_features(noise=0.5)
    whole = evaluate(features, ALL, RANKS)
    monkeypatch.setattr(scoring, "_QUERIES", 50)
    monkeypatch.setattr(scoring, "_PREPARED", 70 * 30)
    monkeypatch.setattr(scoring, "_TILE", (7, 16))
    monkeypatch.setattr(scoring, "_COUNTS", 300)
    monkeypatch.setattr(counting, "_RANKS", 100)
    blocks = evaluate(features, ALL, RANKS)
    np.testing.assert_array_equal(blocks.match_ranks, whole.match_ranks)
    np.testing.assert_array_equal(blocks.average_precision, whole.average_precision)


def test_deviations_are_those_of_the_trials():
    result = evaluate(random_features(noise=0.5), ALL, RANKS)
    assert result.metrics["mAP"].shape == (10,)
    assert result.deviations["mAP"] == pytest.approx(np.std(result.metrics["mAP"]))
    assert result.deviations["mAP"] > 0


def test_several_protocols_are_evaluated_in_order():
    features = random_features()
    both = evaluate_protocols(features, [INDOOR, ALL], RANKS)
    assert [result.protocol for result in both] == [INDOOR, ALL]
    assert both[1].means == evaluate(features, ALL, RANKS).means


def test_ranks_beyond_the_identities_of_the_gallery_are_blank():
    result = evaluate(random_features(pids=range(1, 20)), ALL, RANKS)
    assert (result.ranks, result.blank_ranks) == ((1, 5, 10), (20,))
    for values in (result.metrics, result.means, result.deviations, result.intervals):
        assert list(values) == ["rank1", "rank5", "rank10", "mAP", "mINP"]


def test_ranks_of_a_protocol_that_counts_images_go_as_far_as_the_images():
    features = regdb_features([(pid, np.eye(4)[pid % 4]) for pid in range(4)] * 2, [(1, np.eye(4)[1])])
    result = evaluate(features, protocol_named("regdb/infrared_to_visible"), (1, 8, 9))
    assert (result.ranks, result.blank_ranks) == ((1, 8), (9,))


def test_all_ranks_may_lie_beyond_the_gallery():
    result = evaluate(random_features(pids=range(1, 6)), ALL, (20,))
    assert list(result.means) == ["mAP", "mINP"]


def with_junk(features):
    """Put before the images of each modality its first nine once more, of nobody known."""

    def beside(images):
        vectors = images.embeddings["bn"]
        return replace(
            images,
            pid=np.concatenate([np.full(9, -1, np.int32), images.pid]),
            camid=np.concatenate([images.camid[:9], images.camid]),
            name=np.array([*(f"junk{row}.jpg" for row in range(9)), *images.name], object),
            embeddings={"bn": np.concatenate([vectors[:9], vectors])},
        )

    return features_of(beside(features.visible), beside(features.infrared))


@pytest.mark.parametrize("name", ["synthetic/all_search/single_shot", "synthetic/all_search/multi_shot"])
def test_junk_images_change_nothing(name):
    """Images of pid -1 beside the others give the results of a file without them."""
    features = random_features(pids=range(1, 24), noise=0.8)
    without, beside = (evaluate(part, protocol_named(name), RANKS) for part in (features, with_junk(features)))
    assert beside.means == without.means
    assert beside.intervals == without.intervals
    assert (beside.selection.junk_queries, beside.selection.junk_gallery) == (9, 9)


@pytest.mark.parametrize("role", ["query", "gallery"])
def test_nobody_but_junk_is_refused(role):
    features = random_features()
    sets = {"query": features.infrared, "gallery": features.visible}
    sets[role] = replace(sets[role], pid=np.full_like(sets[role].pid, -1))
    with pytest.raises(UserError, match=f"no {role} image of a known person"):
        evaluate(features_of(sets["gallery"], sets["query"]), ALL, RANKS)


def test_no_query_with_a_match_is_refused():
    features = random_features()
    strangers = replace(features.infrared, pid=features.infrared.pid + 1000)
    with pytest.raises(UserError, match="no query has a match"):
        evaluate(features_of(features.visible, strangers), ALL, RANKS)


def regdb_features(visible, infrared):
    sets = (
        feature_set([(pid, camid) for pid, _ in part], [v for _, v in part])
        for camid, part in ((1, visible), (2, infrared))
    )
    return features_of(*sets, "regdb", trial=4)


def test_regdb_worked_by_hand_counts_images_and_skips_none():
    features = regdb_features([(1, [0.0]), (2, [2.0])], [(2, [0.1]), (2, [0.2]), (1, [0.3]), (3, [9.0])])
    chosen = replace(protocol_named("regdb/visible_to_infrared"), normalise=False)
    result = evaluate(features, chosen, (1, 2, 3))
    # 1 sees 2 2 1 3: by image its hit is third, by identity it would be second. 2 sees 1 2 2 3.
    assert result.match_ranks.tolist() == [[3, 2]]
    assert result.means["mAP"] == pytest.approx((1 / 3 + (1 / 2 + 2 / 3) / 2) / 2)
    assert result.cmc.tolist() == [[0, 0.5, 1, 1]]
    other = evaluate(features, replace(protocol_named("regdb/infrared_to_visible"), normalise=False), (1, 2))
    assert other.match_ranks.tolist() == [[2, 2, 1, 0]]
    assert other.skipped_queries == 1


def test_llcm_ignores_the_querys_identity_in_its_camera_worked_by_hand():
    visible = feature_set([(1, 1), (2, 1)], [[0.0], [5.0]])
    infrared = feature_set([(1, 1), (1, 2), (2, 1), (2, 4)], [[0.0], [3.0], [1.0], [6.0]])
    chosen = replace(protocol_named("llcm/visible_to_infrared"), normalise=False, trials=1)
    result = evaluate(features_of(visible, infrared, "llcm"), chosen, (1, 2))
    # 1 in camera 1 sees 2 1 2 without its own first; 2 sees 2 1 1 without its own at distance 4.
    assert result.match_ranks.tolist() == [[2, 1]]
    assert result.average_precision.tolist() == [[1 / 2, 1]]


def test_drawn_queries_are_evaluated_as_if_alone():
    images = [(pid, camid) for pid in range(6) for camid in (1, 2, 4) for _ in range(3)]
    generator = np.random.default_rng(5)
    sets = [feature_set(images, generator.standard_normal((len(images), 3))) for _ in range(2)]
    features = features_of(*sets, "llcm")
    chosen = protocol_named("llcm/visible_to_infrared_as_released")
    result = evaluate(features, chosen, (1, 5))
    full = evaluate(features, replace(chosen, query_shots=0, query_draw="all", trials=1), (1, 5))
    assert result.match_ranks.shape == (10, 18)
    for trial, asked in enumerate(result.selection.asked):
        assert result.average_precision[trial].tolist() == full.average_precision[0, asked].tolist()
        assert result.match_ranks[trial].tolist() == full.match_ranks[0, asked].tolist()
    assert len({tuple(row) for row in result.average_precision.tolist()}) == 10


def test_location_decides_what_a_query_of_ones_own_images_ignores():
    visible = feature_set([(1, 1)], [[0.0]])
    infrared = feature_set([(1, 2), (2, 2), (1, 3)], [[1.0], [2.0], [3.0]])
    chosen = replace(protocol_named("manifest/visible_to_infrared/all_images"), normalise=False)
    apart = evaluate(features_of(visible, infrared, "manifest"), chosen, (1,))
    visible, infrared = (
        replace(part, optional={"location": np.array(places)})
        for part, places in ((visible, [7]), (infrared, [7, 7, 8]))
    )
    together = evaluate(features_of(visible, infrared, "manifest"), chosen, (1,))
    assert (apart.match_ranks.tolist(), together.match_ranks.tolist()) == ([[1]], [[2]])


def test_queries_with_a_match_are_counted_in_each_trial_where_one_camera_saw_several_places():
    visible = feature_set([(1, 1), (1, 1), (2, 1)], [[0.0], [1.0], [2.0]])
    infrared = feature_set([(1, 2), (2, 2)], [[0.0], [2.0]])
    visible, infrared = (
        replace(part, optional={"location": np.array(places)})
        for part, places in ((visible, [7, 8, 8]), (infrared, [7, 7]))
    )
    chosen = replace(protocol_named("manifest/infrared_to_visible/single_shot"), normalise=False)
    result = evaluate(features_of(visible, infrared, "manifest"), chosen, (1,))
    # The gallery's image of identity 1 is at the query's own place in some trials, and then junk.
    drawn = [gallery[0] for gallery in result.selection.gallery_rows]
    assert result.valid_by_trial.tolist() == [2 if row == 1 else 1 for row in drawn]
    assert set(result.valid_by_trial) == {1, 2}
    assert (result.valid_queries, result.skipped_queries) == (1, 1)
    assert result.means["rank1"] == 1


def test_identity_that_only_camera_2_saw_is_skipped_from_camera_3_and_found_from_camera_6():
    visible = feature_set([(1, 1), (1, 4), (2, 2), (3, 4), (3, 5)], [[1.0], [4], [2], [5], [3]])
    infrared = feature_set([(2, 3), (2, 6), (3, 3)], [[2.0], [0], [0]])
    result = evaluate(features_of(visible, infrared), replace(ALL, normalise=False, trials=1), (1, 2, 3))
    # From 3: nothing left of identity 2. From 6: 1 2 3 1 3. Identity 3 from 3 sees 1 3 1 3 without camera 2.
    assert result.match_ranks.tolist() == [[0, 2, 2]]
    assert result.average_precision.tolist() == [
        [pytest.approx(value, nan_ok=True) for value in (np.nan, 0.5, 0.5)]
    ]
    assert (result.valid_queries, result.skipped_queries) == (2, 1)


def test_a_gallery_of_several_trials_is_scored_once(monkeypatch):
    images = [(pid, camid) for pid in range(6) for camid in (1, 2, 4) for _ in range(3)]
    sets = [feature_set(images, np.random.default_rng(seed).standard_normal((54, 3))) for seed in (1, 2)]
    scored = []

    def counted(pool, rows, galleries, counting, advance):
        scored.append(len(galleries))
        return scoring.score(pool, rows, galleries, counting, advance)

    monkeypatch.setattr(evaluation, "score", counted)
    evaluate(features_of(*sets, "llcm"), protocol_named("llcm/visible_to_infrared_as_released"), (1, 5))
    evaluate(features_of(*sets, "llcm"), protocol_named("llcm/visible_to_infrared"), (1, 5))
    assert scored == [1, 10]


@pytest.mark.parametrize("names", [["all_search", "indoor_search"], ["indoor_search", "all_search"]])
def test_sharing_distances_changes_nothing(names):
    features = random_features(visible=12, noise=0.5)
    chosen = [protocol_named(f"synthetic/{name}/{shots}_shot") for name in names for shots in ("multi", "single")]
    chosen += [replace(chosen[0], normalise=False), replace(chosen[1], cmc_counting="image")]
    for shared in evaluate_protocols(features, chosen, RANKS):
        alone = evaluate(features, shared.protocol, RANKS)
        np.testing.assert_array_equal(shared.match_ranks, alone.match_ranks)
        np.testing.assert_array_equal(shared.average_precision, alone.average_precision)
        np.testing.assert_array_equal(shared.inverse_negative_penalty, alone.inverse_negative_penalty)


def test_protocols_that_differ_in_anything_that_matters_share_no_distances():
    images = [(pid, camid) for pid in range(6) for camid in (1, 2, 4) for _ in range(2)]
    sets = [feature_set(images, np.random.default_rng(seed).standard_normal((36, 3))) for seed in (1, 2)]
    features = features_of(*sets, "llcm")
    directions = [
        protocol_named(f"llcm/{name}")
        for name in ("visible_to_infrared", "infrared_to_visible", "visible_to_infrared_as_released")
    ]
    first = directions[0]
    changed = [
        replace(first, exclusion="same_location"),
        replace(first, exclusion="none"),
        replace(first, distance="cosine", normalise=False),
        replace(first, normalise=False),
        replace(first, locations=((1, 1), (2, 1), (4, 4))),
    ]
    chosen = [*directions, *changed]
    for shared in evaluate_protocols(features, chosen, (1, 5)):
        alone = evaluate(features, shared.protocol, (1, 5))
        np.testing.assert_array_equal(shared.match_ranks, alone.match_ranks)
        np.testing.assert_array_equal(shared.average_precision, alone.average_precision)
    results = [evaluate(features, item, (1, 5)).average_precision.tobytes() for item in chosen]
    assert len(set(results)) >= len(chosen) - 1  # each really is another protocol; cosine ranks unit vectors alike


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    tile=st.tuples(st.integers(1, 9), st.integers(1, 40)),
    queries=st.integers(1, 30),
    prepared=st.integers(1, 60),
    counts=st.integers(1, 300),
)
def test_scores_with_ties_do_not_depend_on_blocks_of_any_size(seed, tile, queries, prepared, counts):
    coarse = np.random.default_rng(seed)
    visible, infrared = (
        feature_set(images, coarse.integers(0, 3, (len(images), 2)))
        for images in (layout(range(6), (1, 2, 4), 2), layout(range(7), (3, 6), 2))
    )
    features, chosen = features_of(visible, infrared), [replace(ALL, normalise=False), replace(MULTI, trials=2)]
    whole = evaluate_protocols(features, chosen, (1, 5))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "_TILE", tile)
        patch.setattr(scoring, "_QUERIES", queries)
        patch.setattr(scoring, "_PREPARED", prepared)
        patch.setattr(scoring, "_COUNTS", counts)
        blocks = evaluate_protocols(features, chosen, (1, 5))
    for one, other in zip(whole, blocks, strict=True):
        np.testing.assert_array_equal(one.match_ranks, other.match_ranks)
        np.testing.assert_array_equal(one.average_precision, other.average_precision)


def test_a_duplicate_of_every_gallery_image_halves_no_precision():
    features = random_features(pids=range(8), visible=1, noise=0.5)
    twice = feature_set(
        layout(range(8), (1, 2, 4, 5), 2),
        np.repeat(features.visible.embeddings["bn"], 2, axis=0),
    )
    chosen = replace(MULTI, trials=1, cmc_counting="image")
    once, doubled = (
        evaluate(features_of(visible, features.infrared), chosen, (1,)) for visible in (features.visible, twice)
    )
    # Each place of the ranking becomes two of the same identity, the first match one of the first two.
    np.testing.assert_array_equal(doubled.match_ranks, 2 * once.match_ranks - 1)
    np.testing.assert_allclose(doubled.inverse_negative_penalty, once.inverse_negative_penalty)


def test_intervals_lie_around_the_means_and_are_the_same_again():
    features = random_features(noise=0.7)
    result, again = (evaluate(features, ALL, RANKS) for _ in range(2))
    assert result.intervals == again.intervals
    assert list(result.intervals) == list(result.metrics)
    for name, (low, high) in result.intervals.items():
        assert 0 <= low <= result.means[name] <= high <= 1
    assert result.intervals["mAP"][0] < result.means["mAP"] < result.intervals["mAP"][1]
