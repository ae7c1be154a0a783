"""SYSU-MM01's true test layout: sizes, valid queries, chance level, perfect score. CPU, seconds; needs lists."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from tests.retrieval.made import feature_set, features_of
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.evaluation import evaluate

LISTS = Path(__file__).resolve().parents[3] / "shared" / "sysu-mm01"
# Random features in this layout: rank 1, 5, 10, 20, mAP, mINP in percent (single shot 10 trials, multi-shot 3).
CHANCE = {
    "all_search/single_shot": (1.01, 5.05, 10.2, 20.6, 2.91, 1.68),
    "all_search/multi_shot": (0.97, 5.0, 10.3, 20.6, 1.31, 1.08),
    "indoor_search/single_shot": (1.76, 9.05, 17.8, 35.9, 6.87, 5.75),
    "indoor_search/multi_shot": (1.75, 9.2, 18.0, 36.1, 2.60, 1.92),
}
SIZES = {
    "all_search/single_shot": (301, 3803, 0, 96),
    "all_search/multi_shot": (3010, 3803, 0, 96),
    "indoor_search/single_shot": (112, 2208, 1595, 56),
    "indoor_search/multi_shot": (1120, 2208, 1595, 56),
}
RANKS = (1, 5, 10, 20)


@pytest.fixture(scope="module")
def images():
    """List the (pid, camid) of every visible and infrared test image."""
    if not LISTS.is_dir():
        pytest.skip(f"no {LISTS}")
    pids = loadmat(LISTS / "test_id.mat")["id"].ravel()
    shuffles = loadmat(LISTS / "rand_perm_cam.mat")["rand_perm_cam"]
    counts = {
        camid: [(int(pid), shuffles[camid - 1, 0][pid - 1, 0].shape[1]) for pid in pids] for camid in range(1, 7)
    }
    return [
        [(pid, camid) for camid in camids for pid, count in counts[camid] for _ in range(count)]
        for camids in ((1, 2, 4, 5), (3, 6))
    ]


def evaluated(images, vectors, name, trials):
    features = features_of(*map(feature_set, images, vectors), dataset="sysu_mm01")
    return evaluate(features, replace(protocol_named(f"sysu_mm01/{name}"), trials=trials), RANKS)


@pytest.mark.parametrize("name", CHANCE)
def test_random_features_reach_chance_in_the_official_sizes(images, name):
    assert [len(part) for part in images] == [6775, 3803]
    generator = np.random.default_rng(0)
    vectors = [generator.standard_normal((len(part), 8)) for part in images]
    result = evaluated(images, vectors, name, trials=10 if name.endswith("single_shot") else 3)
    identities = result.selection.identities
    assert (result.gallery_size, result.valid_queries, result.skipped_queries, identities) == SIZES[name]
    assert result.selection.short_cells == 0
    assert result.cmc.shape[1] == identities
    found = [100 * value for value in result.means.values()]
    # Neighbouring queries share a gallery, so the spread is wider than that of independent draws.
    assert found == pytest.approx(CHANCE[name], rel=0.15, abs=0.2)


@pytest.mark.parametrize("name", CHANCE)
def test_perfect_embedding_scores_one_everywhere(images, name):
    vectors = [np.array([np.cos([pid, 2 * pid, 3 * pid]) for pid, _ in part]) for part in images]
    result = evaluated(images, vectors, name, trials=1)
    assert set(result.means.values()) == {1.0}
    assert (result.cmc == 1).all()
