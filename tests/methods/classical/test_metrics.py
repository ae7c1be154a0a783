"""Classical metrics: by their definitions in loops, and where the answer is known. CPU, seconds."""

import numpy as np
import pytest

from vireid.methods.classical import metrics
from vireid.methods.classical.metrics import METRICS, local_affinity, paired_rows, subspace_likeness

PIDS = np.repeat(np.arange(6), 5)


def across(seed, pids=PIDS, width=5):
    """Features of two spectra: infrared ones are visible ones turned, with noise; and what no identity has."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(np.random.default_rng(99).normal(size=(width, width)))[0]
    points = np.random.default_rng(7).normal(size=(40, width))
    sides = [points[pids] @ turn + 0.05 * rng.normal(size=(len(pids), width)) for turn in (np.eye(width), turned)]
    noise = [3 * rng.normal(size=(len(pids), 2)) for _ in sides]
    return [np.hstack([side, extra]) for side, extra in zip(sides, noise, strict=True)]


def rank1(sides, maps, pids):
    visible, infrared = (side @ part for side, part in zip(sides, maps, strict=True))
    visible, infrared = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (visible, infrared))
    return (pids[(infrared @ visible.T).argmax(axis=1)] == pids).mean()


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_gives_a_map_of_each_spectrum(name):
    for columns in (3, 50):
        maps = METRICS[name](across(0), [PIDS, PIDS], columns)
        assert maps.shape[:2] == (2, 7)
        assert 1 <= maps.shape[2] <= columns
        assert np.isfinite(maps).all()


@pytest.mark.parametrize("name", ["cca", "cdfe"])
def test_maps_of_each_spectrum_undo_a_rotation_on_people_never_seen(name):
    trained, unseen = np.repeat(np.arange(30), 4), np.repeat(np.arange(30, 40), 3)
    maps = METRICS[name](across(1, trained), [trained, trained], 5)
    assert rank1(across(2, unseen), maps, unseen) > 0.9
    same = METRICS["euclidean"](across(1, trained), [trained, trained], 7)
    assert rank1(across(2, unseen), same, unseen) < 0.5


def test_lfda_finds_what_tells_identities_apart_in_noise():
    rng = np.random.default_rng(0)
    rows = np.hstack([PIDS[:, None] + 0.1 * rng.normal(size=(30, 1)), 9 * rng.normal(size=(30, 4))])
    first = metrics.lfda([rows[::2], rows[1::2]], [PIDS[::2], PIDS[1::2]], 1)[0, :, 0]
    assert abs(first[0]) > 20 * np.abs(first[1:]).max()


def test_lfda_maximises_the_local_ratio_of_its_paper():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(30, 4)) + PIDS[:, None] * rng.normal(size=4)
    affinity = np.zeros((30, 30))
    for pid in range(6):
        members = np.flatnonzero(pid == PIDS)
        affinity[np.ix_(members, members)] = local_affinity(rows[members])
    between, within = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(30):
        for j in range(30):
            same, product = PIDS[i] == PIDS[j], np.outer(rows[i] - rows[j], rows[i] - rows[j]) / 2
            within += product * affinity[i, j] / 5 * same
            between += product * (affinity[i, j] * (1 / 30 - 1 / 5) if same else 1 / 30)
    within += metrics.RIDGE * np.trace(within) / 4 * np.eye(4)
    maps = metrics.lfda([rows[:15], rows[15:]], [PIDS[:15], PIDS[15:]], 4)[0]
    ratios = [(v @ between @ v) / (v @ within @ v) for v in maps.T]
    np.testing.assert_allclose(between @ maps, within @ maps * ratios, rtol=1e-6, atol=1e-6 * abs(ratios[0]))
    assert ratios == sorted(ratios, reverse=True)


def test_affinity_is_scaled_by_the_seventh_neighbour():
    points = np.arange(10.0)[:, None]
    affinity = local_affinity(points)
    assert affinity[0, 3] == pytest.approx(np.exp(-9 / (7 * 4)))  # the fourth point's seventh neighbour is 4 away
    assert np.allclose(local_affinity(np.zeros((3, 2))), 1)
    assert np.allclose(np.diag(affinity), 1)


def test_cdfe_minimises_the_sum_of_its_paper():
    sides, rng = across(4), np.random.default_rng(0)
    maps = metrics.cdfe(sides, [PIDS, PIDS], 1)[:, :, 0]

    def objective(maps):
        visible, infrared = (side @ part for side, part in zip(sides, maps, strict=True))
        scale = sum((values**2).mean() for values in (visible, infrared))
        squares, same = (visible[:, None] - infrared[None]) ** 2, PIDS[:, None] == PIDS
        total = squares[same].mean() - metrics.INTER * squares[~same].mean()
        for side, values in zip(sides, (visible, infrared), strict=True):
            distances = np.linalg.norm(side[:, None] - side[None], axis=2)
            local = np.exp(-(distances**2) / np.median(distances) ** 2)
            total += metrics.LOCAL * (local * (values[:, None] - values[None]) ** 2).sum() / local.sum()
        return total / scale

    least = objective(maps)
    assert all(
        objective(maps + 0.05 * rng.normal(size=maps.shape) * np.abs(maps).max()) > least for _ in range(50)
    )


def test_craft_gives_one_map_to_spectra_that_are_alike_and_two_to_strangers():
    rng = np.random.default_rng(5)
    main, rest = PIDS[:, None] + 0.1 * rng.normal(size=(30, 2)), 0.01 * rng.normal(size=(30, 2))
    alike, stranger = np.hstack([main, rest]), np.hstack([rest, main])
    assert subspace_likeness([alike, alike]) == pytest.approx(1)
    assert subspace_likeness([alike, stranger]) == pytest.approx(0, abs=0.01)
    visible, infrared = metrics.craft([alike, alike], [PIDS, PIDS], 2)
    np.testing.assert_allclose(visible, infrared)
    visible, infrared = metrics.craft([alike, stranger], [PIDS, PIDS], 2)
    assert np.abs(visible - infrared).max() > 0.5 * np.abs(visible).max()


def test_craft_undoes_a_rotation_where_no_noise_makes_the_spectra_look_alike():
    trained, unseen = np.repeat(np.arange(30), 4), np.repeat(np.arange(30, 40), 3)
    training, test = ([side[:, :5] for side in across(*args)] for args in ((1, trained), (2, unseen)))
    likeness = subspace_likeness(training)
    assert likeness < 0.8
    maps = metrics.craft(training, [trained, trained], 5)
    assert rank1(test, maps, unseen) > 0.9
    assert rank1(test, METRICS["euclidean"](training, [trained, trained], 5), unseen) < 0.5


def test_craft_maximises_its_ratio_over_the_augmented_features():
    sides = across(6)
    likeness = subspace_likeness(sides)
    length = ((2 - likeness) ** 2 + likeness**2) ** 0.5
    same, other = (2 - likeness) / length, likeness / length
    rows = np.vstack(
        [np.hstack([same * sides[0], other * sides[0]]), np.hstack([other * sides[1], same * sides[1]])]
    )
    identities, mean = np.tile(PIDS, 2), rows.mean(axis=0)
    between, within = np.zeros((14, 14)), np.zeros((14, 14))
    for row, pid in zip(rows, identities, strict=True):
        centre = rows[identities == pid].mean(axis=0)
        between += np.outer(centre - mean, centre - mean)
        within += np.outer(row - centre, row - centre)
    difference = np.eye(14)[:, :7] - np.eye(14)[:, 7:]  # of a vector, between its two blocks
    within = within + metrics.DISCREPANCY * np.trace(within) / 14 * difference @ difference.T
    within += metrics.RIDGE * np.trace(within) / 14 * np.eye(14)
    values = np.linalg.eigvals(np.linalg.solve(within, between)).real
    maps = metrics.craft(sides, [PIDS, PIDS], 1)
    whole = np.linalg.solve([[same, other], [other, same]], maps[:, :, 0]).ravel()
    assert (whole @ between @ whole) / (whole @ within @ whole) == pytest.approx(values.max(), rel=1e-6)


def test_pairs_show_one_identity_and_repeat_what_there_is_less_of():
    visible, infrared = paired_rows([np.array([0, 1, 1, 1, 4]), np.array([1, 1, 0, 0, 5])])
    assert visible.tolist() == [0, 0, 1, 2, 3]
    assert infrared.tolist() == [2, 3, 0, 1, 0]
