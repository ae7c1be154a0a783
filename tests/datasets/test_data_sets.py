"""The data sets as values: found by listing their folder, and a new one is one file. CPU, seconds."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import vireid.datasets as package
from tests.made import ROOT, dataset_at, draw_image, read_yaml
from vireid.datasets import data_set_names, data_set_of, data_sets
from vireid.datasets.find import find_images, recognised, wrong_choices
from vireid.datasets.protocols import protocol_named, protocols_of
from vireid.params import Dataset
from vireid.support.errors import UserError

TOY = '''"""Pairs of pictures, `<pid>v.png` and `<pid>i.png`; odd identities are for training."""

from dataclasses import replace

from vireid.data.records import ImageRecord, Modality
from vireid.datasets.base import DataSet
from vireid.datasets.manifest import DATA_SET as MANIFEST


def find_images(root, dataset):
    """List the pairs."""
    return [
        ImageRecord(path.name, int(path.stem[:-1]), camid, modality, ("test", "train")[int(path.stem[:-1]) % 2])
        for letter, camid, modality in (("v", 1, Modality.VISIBLE), ("i", 2, Modality.INFRARED))
        for path in sorted((root / "pairs").glob(f"*{letter}.png"))
    ]


DATA_SET = DataSet("pairs", "Pairs", ("pairs",), ("pairs",), find_images, MANIFEST.protocols)
'''


@pytest.fixture
def with_toy(tmp_path, monkeypatch):
    """A data set of one file, beside the others."""
    (tmp_path / "sets").mkdir()
    (tmp_path / "sets" / "pairs.py").write_text(TOY)
    monkeypatch.setattr(package, "__path__", [*package.__path__, str(tmp_path / "sets")])
    data_sets.cache_clear()
    yield
    data_sets.cache_clear()
    sys.modules.pop("vireid.datasets.pairs", None)


def test_new_data_set_is_one_file(with_toy, tmp_path):
    root = tmp_path / "photos"
    (root / "pairs").mkdir(parents=True)
    for pid in range(4):
        for letter, spectrum in (("v", "visible"), ("i", "infrared")):
            draw_image(pid, spectrum, np.random.default_rng(0)).save(root / "pairs" / f"{pid}{letter}.png")
    assert recognised(root).title == "Pairs"
    records = find_images(dataset_at(root, "pairs"))
    assert [(r.pid, r.split) for r in records[:4]] == [(0, "test"), (1, "train"), (2, "test"), (3, "train")]
    assert protocols_of("pairs")[0] == "pairs/visible_to_infrared/all_images"
    assert protocol_named("pairs/infrared_to_visible/single_shot").dataset == "pairs"
    assert "pairs" in data_set_names()


def test_folder_with_a_manifest_too_is_recognised_by_its_other_entries(dataset, tmp_path):
    root = shutil.copytree(dataset, tmp_path / "data")
    (root / "manifest.csv").write_text("path,pid,camid,modality,split\n")
    assert recognised(root).layout == "sysu_mm01"


def test_file_of_a_data_set_is_called_as_its_layout():
    folder = Path(package.__file__).parent
    assert [layout for layout in data_sets() if "DATA_SET = " not in (folder / f"{layout}.py").read_text()] == []


def test_name_of_another_layout_is_refused_with_those_of_this_one(tmp_path):
    (wrong,) = wrong_choices(dataset_at(tmp_path, "regdb", name="sysu_mm01", trial=1))
    assert (wrong.where, wrong.found) == ("dataset.name", "sysu_mm01")
    assert wrong.expected == "one of regdb, synthetic_regdb"


def test_each_preset_names_a_data_set_its_layout_and_protocols_of_it():
    presets = {path.stem: read_yaml(path) for path in (ROOT / "conf" / "dataset").glob("*.yaml")}
    assert presets.keys() == set(data_set_names())
    for name, preset in presets.items():
        assert preset["dataset"]["name"] == name
        assert name in data_set_of(preset["dataset"]["layout"]).names
        assert set(preset["evaluate"]["protocols"]) <= set(protocols_of(name))


@pytest.mark.parametrize("key", ["name", "layout"])
def test_unknown_name_or_layout_is_refused_with_those_that_there_are(tmp_path, key):
    values = dataset_at(tmp_path).model_dump() | {key: "market1501"}
    with pytest.raises(ValidationError, match=r"one of llcm, .*sysu_mm01"):
        Dataset.model_validate(values)


def test_unknown_layout_is_an_error_with_those_that_there_are():
    with pytest.raises(UserError, match="no such layout") as error:
        data_set_of("market1501")
    assert error.value.expected == "one of llcm, manifest, regdb, sysu_mm01"
