"""Queries and galleries: the field's draw to the image, short cells, and what is refused. CPU, seconds."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.reference.ranking import draw_gallery
from tests.retrieval.made import feature_set, features_of, layout, random_features
from vireid.datasets.protocols import protocol_named
from vireid.retrieval.galleries import seeded_draw, select_images
from vireid.support.errors import UserError

SINGLE = protocol_named("synthetic/all_search/single_shot")
MULTI = protocol_named("synthetic/all_search/multi_shot")


def drawn_names(features, selection, trial):
    return features.visible.name[selection.gallery_rows[trial]].tolist()


def shuffled(images, seed=3):
    order = np.random.default_rng(seed).permutation(len(images))
    vectors = images.embeddings["bn"][order]
    return replace(
        images,
        pid=images.pid[order],
        camid=images.camid[order],
        name=images.name[order],
        embeddings={"bn": vectors},
    )


def test_seeded_single_shot_is_the_fields_choice():
    cells = [list(range(start, start + 7)) for start in range(0, 70, 7)]
    generator = random.Random(4)
    assert seeded_draw(cells, 1, 4) == [generator.choice(cell) for cell in cells]


def test_seeded_multi_shot_is_a_sample_and_takes_short_cells_whole():
    drawn = seeded_draw([range(20), range(20, 23)], 10, 2)
    assert drawn[:10] == random.Random(2).sample(range(20), 10)
    assert sorted(drawn[10:]) == [20, 21, 22]


@pytest.mark.parametrize("chosen", [SINGLE, replace(MULTI, shots=2), replace(SINGLE, gallery_camids=(1, 2))])
def test_galleries_agree_with_slow_draw_whatever_the_order_of_the_file(chosen):
    features = random_features(pids=[12, 3, 7, 100])
    features = replace(features, visible=shuffled(features.visible))
    images = features.visible
    items = [
        (int(pid), int(camid), name)
        for pid, camid, name in zip(images.pid, images.camid, images.name, strict=True)
    ]
    selection = select_images(features, chosen)
    assert len(selection.galleries) == 10
    for trial in range(10):
        expected = [item[2] for item in draw_gallery(items, chosen.gallery_camids, chosen.shots, trial)]
        assert drawn_names(features, selection, trial) == expected


def test_galleries_of_different_trials_differ():
    features = random_features()
    selection = select_images(features, SINGLE)
    assert len({tuple(gallery) for gallery in selection.galleries}) == 10


def test_each_identity_and_camera_gives_its_shots():
    features = random_features(visible=12)
    selection = select_images(features, MULTI)
    gallery = selection.gallery_rows[0]
    cells = np.stack([features.visible.pid[gallery], features.visible.camid[gallery]])
    assert (np.unique(cells, axis=1, return_counts=True)[1] == 10).all()
    assert selection.short_cells == 0
    assert selection.identities == 30


def test_short_cells_are_counted():
    images = layout([1, 2], (1,), 10) + layout([1], (2,), 9) + layout([2], (2,), 1)
    features = features_of(feature_set(images, np.ones(len(images))), feature_set([(1, 3)], [1]))
    selection = select_images(features, MULTI)
    assert selection.short_cells == 2
    assert len(selection.galleries[0]) == 10 + 10 + 9 + 1


def test_only_the_protocols_cameras_are_used():
    features = random_features()
    selection = select_images(features, protocol_named("synthetic/indoor_search/single_shot"))
    assert set(features.visible.camid[selection.pool]) == {1, 2}
    assert set(features.infrared.camid[selection.queries]) == {3, 6}
    assert len(selection.queries) == len(features.infrared)


def test_protocol_of_another_data_set_is_refused():
    with pytest.raises(UserError, match="another data set") as error:
        select_images(random_features(), protocol_named("sysu_mm01/all_search/single_shot"))
    assert "synthetic" in error.value.found


@pytest.mark.parametrize("role", ["query", "gallery"])
def test_no_image_for_a_role_is_refused(role):
    features = random_features(pids=[1, 2])
    absent = replace(SINGLE, **{f"{role}_camids": (9,)})
    with pytest.raises(UserError, match=f"no {role} image"):
        select_images(features, absent)


@pytest.mark.parametrize(("dataset", "trial"), [("regdb", 0), ("regdb", 11), ("llcm", 1), ("synthetic", 3)])
def test_features_of_a_split_that_the_data_set_lacks_are_refused(dataset, trial):
    features = features_of(feature_set([(1, 1)], [1]), feature_set([(1, 2)], [1]), dataset, trial=trial)
    name = "synthetic/all_search/single_shot" if dataset == "synthetic" else f"{dataset}/visible_to_infrared"
    with pytest.raises(UserError, match="no split of this data set") as error:
        select_images(features, protocol_named(name))
    assert error.value.found == f"trial {trial}"


@pytest.mark.parametrize("trial", [1, 10])
def test_regdb_takes_every_image_once(trial):
    images = [layout([3, 7], (camid,), 10) for camid in (1, 2)]
    features = features_of(*(feature_set(part, np.ones(20)) for part in images), "regdb", trial=trial)
    selection = select_images(features, protocol_named("regdb/infrared_to_visible"))
    assert [gallery.tolist() for gallery in selection.galleries] == [list(range(20))]
    assert (len(selection.asked[0]), selection.identities, selection.short_cells) == (20, 2, 0)


def test_drawn_queries_are_the_fields_choice_in_each_trial():
    images = layout([5, 2], (2, 1), 4)
    features = features_of(feature_set(images, np.ones(16)), feature_set(images, np.ones(16)), "llcm")
    drawn = select_images(features, protocol_named("llcm/visible_to_infrared_as_released"))
    documented = select_images(features, protocol_named("llcm/visible_to_infrared"))
    assert len(drawn.asked) == len(drawn.galleries) == 10
    for trial in range(10):
        gallery = documented.gallery_rows[trial]
        assert sorted(drawn.query_rows[trial]) == sorted(gallery)
        assert len(drawn.asked[trial]) == 4
        assert len(drawn.galleries[trial]) == 16


def officially(features, trials=10):
    generator = np.random.default_rng(2)
    cells = len(features.visible) // 3
    places = np.concatenate(
        [np.stack([generator.permutation(3) for _ in range(trials)], axis=1) for _ in range(cells)]
    )
    return replace(features, visible=replace(features.visible, optional={"official_places": places}))


@pytest.mark.parametrize("shots", [1, 2, 10])
def test_official_galleries_take_the_first_places_of_each_trial(shots):
    features = officially(random_features(pids=[4, 9], visible=3))
    selection = select_images(features, replace(SINGLE, gallery_draw="official", shots=shots))
    places = features.visible.optional["official_places"]
    for trial, gallery in enumerate(selection.galleries):
        expected = features.visible.name[places[:, trial] < shots]
        assert sorted(drawn_names(features, selection, trial)) == sorted(expected)
        assert len(gallery) == 2 * 4 * min(shots, 3)


@pytest.mark.parametrize("trials", [None, 4])
def test_features_without_the_official_galleries_are_refused(trials):
    features = random_features(pids=[4, 9])
    features = features if trials is None else officially(features, trials)
    with pytest.raises(UserError, match="do not hold the official galleries") as error:
        select_images(features, replace(SINGLE, gallery_draw="official"))
    assert "dataset.gallery_draw" in error.value.remedy
