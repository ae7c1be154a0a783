"""Protocols: what they are called, what they say, what they exclude. CPU, instant."""

import dataclasses
import json

import numpy as np
import pytest

from vireid.retrieval.distances import DISTANCES
from vireid.retrieval.galleries import GALLERY_DRAWS
from vireid.retrieval.protocols import EXCLUSIONS, PROTOCOLS, protocol
from vireid.retrieval.ranking import CMC_RANKS
from vireid.support.errors import UserError


@pytest.mark.parametrize("dataset", ["sysu_mm01", "synthetic"])
def test_the_four_settings_of_sysu_mm01_exist(dataset):
    names = [name for name in PROTOCOLS if name.startswith(dataset + "/")]
    assert names == [
        f"{dataset}/{mode}/{shots}"
        for mode in ("all_search", "indoor_search")
        for shots in ("single_shot", "multi_shot")
    ]


def test_settings_are_those_of_the_authors():
    indoor = protocol("sysu_mm01/indoor_search/multi_shot")
    assert (indoor.query_camids, indoor.gallery_camids) == ((3, 6), (1, 2))
    assert (indoor.shots, indoor.trials, indoor.cmc_counting) == (10, 10, "identity")
    assert protocol("sysu_mm01/all_search/single_shot").gallery_camids == (1, 2, 4, 5)
    assert protocol("sysu_mm01/all_search/single_shot").shots == 1


@pytest.mark.parametrize("name", PROTOCOLS)
def test_every_choice_names_something_that_exists(name):
    chosen = protocol(name)
    assert chosen.name == name
    assert chosen.gallery_draw in GALLERY_DRAWS
    assert chosen.exclusion in EXCLUSIONS
    assert chosen.cmc_counting in CMC_RANKS
    assert chosen.distance in DISTANCES
    assert set(chosen.query_camids) | set(chosen.gallery_camids) <= set(dict(chosen.locations))
    assert list(chosen.gallery_camids) == sorted(chosen.gallery_camids)


def test_unknown_name_lists_the_valid_ones():
    with pytest.raises(UserError, match="sysu_mm01/all_search/single_shot") as error:
        protocol("sysu/all-search")
    assert error.value.found == "sysu/all-search"


def test_camera3_query_skips_camera2_gallery_and_nothing_else():
    junk = protocol("sysu_mm01/all_search/single_shot").junk(np.array([3, 6]), np.array([1, 2, 4, 5]))
    assert junk.tolist() == [[False, True, False, False], [False] * 4]


def test_all_fields_can_be_stored_beside_a_number():
    chosen = protocol("synthetic/all_search/single_shot")
    stored = json.loads(json.dumps(chosen.as_dict()))
    assert set(stored) == {field.name for field in dataclasses.fields(chosen)}
    assert stored["query_modality"] == "infrared"
    assert stored["locations"]["3"] == 2
