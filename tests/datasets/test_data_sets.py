"""The data sets as values: found by listing their folder, and a new one is one file. CPU, seconds."""

import json
import shutil
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from ruamel.yaml import YAML

import vireid.datasets as package
from tests.made import CONF, ROOT, TINY, dataset_at, draw_image, put, read_yaml
from tests.retrieval.made import info_of
from vireid.data.records import Modality
from vireid.data.store import open_images
from vireid.datasets import data_set_names, data_set_of, data_sets
from vireid.datasets.find import find_images, recognised, wrong_choices
from vireid.datasets.protocols import protocol_named, protocols_of
from vireid.layers import compose
from vireid.params import Dataset, load_params
from vireid.retrieval.features import FeatureSet, write_features
from vireid.steps.evaluate import evaluate
from vireid.steps.ingest import ingest
from vireid.support.errors import UserError

TOY = '''"""Pairs of pictures, `<pid>v.png` and `<pid>i.png`; odd identities are for training."""

from pathlib import Path

from vireid.data.layout_checks import in_order
from vireid.data.records import ImageRecord, Modality
from vireid.datasets.base import Choices, DataSet
from vireid.datasets.protocol import between_spectra


def find_images(root: Path, choices: Choices) -> list[ImageRecord]:
    """List the pairs."""
    return in_order(
        ImageRecord(path.relative_to(root).as_posix(), pid, camid, modality, "train" if pid % 2 else "test")
        for letter, camid, modality in (("v", 1, Modality.VISIBLE), ("i", 2, Modality.INFRARED))
        for path in (root / "pairs").glob(f"*{letter}.png")
        for pid in [int(path.stem[:-1])]
    )


DATA_SET = DataSet("pairs", "Pairs", ("pairs",), ("pairs",), find_images, between_spectra)
'''
PRESET = """# Pairs of pictures.
dataset:
  name: pairs
  layout: pairs
  root: photos
evaluate:
  protocols:
    - pairs/visible_to_infrared/all_images
    - pairs/infrared_to_visible/single_shot
"""
PIDS = range(1, 17)


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


@pytest.fixture
def photos(tmp_path):
    """A folder in the toy's layout."""
    (tmp_path / "photos" / "pairs").mkdir(parents=True)
    for pid, (letter, spectrum) in product(PIDS, (("v", "visible"), ("i", "infrared"))):
        draw_image(pid, spectrum, np.random.default_rng(0)).save(tmp_path / f"photos/pairs/{pid}{letter}.png")
    return tmp_path / "photos"


def test_new_data_set_in_one_file_is_recognised_and_listed(with_toy, photos):
    assert recognised(photos).title == "Pairs"
    records = find_images(dataset_at(photos, "pairs"))
    assert {(r.pid % 2, r.split) for r in records} == {(1, "train"), (0, "test")}
    assert "pairs" in data_set_names()
    assert protocol_named("pairs/infrared_to_visible/single_shot").dataset == "pairs"


def test_new_data_set_in_one_file_with_one_preset_is_packed_and_evaluated(with_toy, photos, tmp_path):
    (shutil.copytree(CONF, tmp_path / "conf") / "dataset" / "pairs.yaml").write_text(PRESET)
    values = compose(tmp_path / "conf", {"schedule": "demo", "dataset": "pairs", "method": "baseline"}).values
    for key, value in (TINY | {"dataset.root": str(photos), "superresolve.enabled": False}).items():
        put(values, key, value)
    YAML().dump(values, tmp_path / "params.yaml")
    params = load_params(tmp_path / "params.yaml")
    description = ingest(params, tmp_path / "images.h5", tmp_path / "dataset.json")
    assert (description["dataset"], description["images"]) == ("pairs", 2 * len(PIDS))
    with open_images(tmp_path / "images.h5") as file:
        packed = [file.read("test", modality) for modality in Modality]
        info = info_of("pairs", file.pids("train"))
    perfect = [
        FeatureSet(p.pid, p.camid, p.name, {"bn": np.eye(max(PIDS) + 1, dtype="f4")[p.pid]}) for p in packed
    ]
    write_features(tmp_path / "features.h5", info, *perfect)
    results = [tmp_path / name for name in ("metrics.json", "evaluation.json", "cmc.csv")]
    evaluated = evaluate(params, tmp_path / "features.h5", *results)
    assert [e.protocol.name for e in evaluated.evaluations] == params.evaluate.protocols
    scores = json.loads(results[0].read_text())["pairs"]
    assert scores["infrared_to_visible"]["single_shot"]["mAP"] == 100


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
