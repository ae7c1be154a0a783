"""Protocols: what they are called, what they say, what they exclude. CPU, instant."""

import dataclasses
import json

import numpy as np
import pytest

from vireid.datasets import llcm, regdb
from vireid.datasets.protocol import DIRECTIONS, EXCLUSIONS
from vireid.datasets.protocols import all_protocols, protocol_named, protocols_of
from vireid.retrieval.counting import CMC_RANKS
from vireid.retrieval.distances import DISTANCES
from vireid.retrieval.galleries import DRAWS
from vireid.support.errors import UserError


def junk_of(name, match, query_camids, gallery_camids):
    chosen = protocol_named(name)
    return chosen.junk(match, *(chosen.places(np.array(camids)) for camids in (query_camids, gallery_camids)))


@pytest.mark.parametrize("dataset", ["sysu_mm01", "synthetic"])
def test_the_four_settings_of_sysu_mm01_exist(dataset):
    names = [name for name in all_protocols() if name.startswith(dataset + "/")]
    assert names == [
        f"{dataset}/{mode}/{shots}"
        for mode in ("all_search", "indoor_search")
        for shots in ("single_shot", "multi_shot")
    ]


def test_settings_are_those_of_the_authors():
    indoor = protocol_named("sysu_mm01/indoor_search/multi_shot")
    assert (indoor.query_camids, indoor.gallery_camids) == ((3, 6), (1, 2))
    assert (indoor.shots, indoor.trials, indoor.cmc_counting) == (10, 10, "identity")
    assert protocol_named("sysu_mm01/all_search/single_shot").gallery_camids == (1, 2, 4, 5)
    assert protocol_named("sysu_mm01/all_search/single_shot").shots == 1


@pytest.mark.parametrize("name", all_protocols())
def test_every_choice_names_something_that_exists(name):
    chosen = protocol_named(name)
    assert chosen.name == name
    assert chosen.gallery_draw in DRAWS
    assert chosen.query_draw in DRAWS
    assert (chosen.shots == 0) == (chosen.gallery_draw == "all")
    assert (chosen.query_shots == 0) == (chosen.query_draw == "all")
    assert chosen.exclusion in EXCLUSIONS
    assert chosen.cmc_counting in CMC_RANKS
    assert chosen.distance in DISTANCES
    assert set(chosen.query_camids) | set(chosen.gallery_camids) <= set(dict(chosen.locations))
    assert bool(chosen.query_camids) == bool(chosen.gallery_camids) == bool(chosen.locations)
    assert list(chosen.gallery_camids) == sorted(chosen.gallery_camids)


@pytest.mark.parametrize("dataset", ["regdb", "llcm"])
@pytest.mark.parametrize(
    ("direction", "query"), [("visible_to_infrared", "visible"), ("infrared_to_visible", "infrared")]
)
def test_directions_say_which_spectrum_is_the_query(dataset, direction, query):
    for name in (dataset, f"synthetic_{dataset}"):
        chosen = protocol_named(f"{name}/{direction}")
        assert chosen.query_modality.group == query
        assert chosen.gallery_modality != chosen.query_modality


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_protocols_have_the_cameras_of_their_layouts(direction):
    for name, cameras in (("regdb", regdb.CAMERAS), ("llcm", llcm.CAMERAS)):
        chosen = protocol_named(f"{name}/{direction}")
        for role in ("query", "gallery"):
            expected = cameras[getattr(chosen, f"{role}_modality")]
            assert getattr(chosen, f"{role}_camids") == (expected if name == "llcm" else (expected,))


def test_regdb_searches_everything_and_counts_images():
    chosen = protocol_named("regdb/visible_to_infrared")
    assert (chosen.splits, chosen.trials, chosen.gallery_draw) == (len(regdb.TRIALS), 1, "all")
    assert (chosen.exclusion, chosen.cmc_counting) == ("none", "image")
    assert not junk_of(chosen.name, np.ones((2, 2), bool), [1, 1], [2, 2]).any()


def test_llcm_query_skips_its_own_identity_in_its_own_camera_and_nothing_else():
    match = np.array([[True, True, False, False]])
    junk = junk_of("llcm/visible_to_infrared", match, [4], [4, 5, 4, 5])
    assert junk.tolist() == [[True, False, False, False]]


def test_released_direction_of_llcm_draws_infrared_queries_against_all_visible_images():
    released, documented = (
        protocol_named("llcm/visible_to_infrared_as_released"),
        protocol_named("llcm/visible_to_infrared"),
    )
    assert (released.query_modality.group, released.gallery_modality.group) == ("infrared", "visible")
    assert (released.query_draw, released.query_shots, released.gallery_draw) == ("seeded", 1, "all")
    assert (documented.query_draw, documented.gallery_draw, documented.shots) == ("all", "seeded", 1)


def test_manifest_query_skips_its_own_identity_where_it_was_taken():
    chosen = protocol_named("manifest/visible_to_infrared/all_images")
    match = np.array([[True, True, False, False]])
    cameras = np.array([1]), np.array([1, 2, 1, 2])
    assert chosen.junk(match, *map(chosen.places, cameras)).tolist() == [[True, False, False, False]]
    places = chosen.places(cameras[0], np.array([7])), chosen.places(cameras[1], np.array([8, 7, 8, 7]))
    assert chosen.junk(match, *places).tolist() == [[False, True, False, False]]


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(UserError, match="sysu_mm01/all_search/single_shot") as error:
        protocol_named("sysu/all-search")
    assert error.value.found == "sysu/all-search"


@pytest.mark.parametrize(
    ("name", "dataset", "listed"),
    [
        ("regdb/thermal_to_visible", None, "regdb"),
        ("llcm/", "regdb", "regdb"),
        ("sysu_mm01/all_search/single_shot", "llcm", "llcm"),
        ("synthetic_regdb", None, "synthetic_regdb"),
    ],
)
def test_bad_name_lists_the_protocols_of_its_data_set_only(name, dataset, listed):
    with pytest.raises(UserError) as error:
        protocol_named(name, dataset=dataset)
    assert error.value.expected == f"one of {', '.join(protocols_of(listed))}"


def test_camera3_query_skips_camera2_gallery_and_nothing_else():
    junk = junk_of("sysu_mm01/all_search/single_shot", np.ones((2, 4), bool), [3, 6], [1, 2, 4, 5])
    assert junk.tolist() == [[False, True, False, False], [False] * 4]


def test_all_fields_can_be_stored_beside_a_number():
    chosen = protocol_named("synthetic/all_search/single_shot")
    stored = json.loads(json.dumps(chosen.as_dict()))
    assert set(stored) == {field.name for field in dataclasses.fields(chosen)}
    assert stored["query_modality"] == "infrared"
    assert stored["locations"]["3"] == 2


def test_official_draw_replaces_the_seeded_one_and_nothing_else():
    seeded = protocol_named("sysu_mm01/all_search/multi_shot")
    official = protocol_named("sysu_mm01/all_search/multi_shot", "official")
    assert official == dataclasses.replace(seeded, gallery_draw="official")
    assert protocol_named("regdb/visible_to_infrared", "official").gallery_draw == "all"
