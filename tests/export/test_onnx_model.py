"""ONNX files: what is in them, what reads them, and how they fail. CPU, seconds."""

import json
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from typer.testing import CliRunner

from tests.made import CAMERAS, recipe_of, tiny_model
from tests.refusals import refused
from vireid.cli import app
from vireid.compute import all_cores
from vireid.data.records import Modality
from vireid.export.onnx_graph import to_onnx
from vireid.export.onnx_model import OnnxModel
from vireid.methods import build_method
from vireid.search.embedder import PictureEmbedder, TorchModel
from vireid.support.errors import UserError
from vireid.training.model_folder import cpu_state, read_description, save_model

CPU = all_cores("cpu", "fp32")


@pytest.fixture(scope="module")
def exported(model_folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "person.onnx"
    result = CliRunner().invoke(app, ["export", str(model_folder), "--output", str(path)])
    assert result.exit_code == 0, result.output
    assert "images: uint8 RGB" in result.stdout
    assert "infrared: true if the images are infrared" in result.stdout
    return path


def test_file_gives_the_embeddings_of_the_folder_with_and_without_mirror_images(exported, model_folder):
    onnx_model, torch_model = OnnxModel(exported, CPU), TorchModel(model_folder, CPU)
    pixels = np.random.default_rng(0).integers(0, 256, (4, *onnx_model.size, 3), dtype=np.uint8)
    for modality in Modality:
        for flip in (False, True):
            expected = torch_model.embed_batch(pixels, modality, flip)
            values = onnx_model.embed_batch(pixels, modality, flip)
            assert list(values) == list(expected)
            for name in values:
                np.testing.assert_allclose(values[name], expected[name], rtol=1e-4, atol=1e-4)
    visible, infrared = (onnx_model.embed_batch(pixels, modality, False) for modality in Modality)
    assert any(np.abs(visible[name] - infrared[name]).max() > 1e-2 for name in visible)


def test_metadata_say_what_to_feed_and_where_the_weights_come_from(exported, model_folder):
    description, model_hash = read_description(model_folder)
    graph = onnx.load(exported)
    told = json.loads(next(entry.value for entry in graph.metadata_props if entry.key == "vireid"))
    assert (told["method"], told["model_hash"]) == (description.method, model_hash)
    assert (told["height"], told["width"]) == (description.images["height"], description.images["width"])
    assert "uint8 RGB" in told["input"]
    assert [given.name for given in graph.graph.input] == ["images", "infrared"]
    assert [given.name for given in graph.graph.output] == list(told["embeddings"])
    assert b"/method.py" not in exported.read_bytes()  # no file of the machine that converted


def test_what_both_spectra_share_is_stored_once():
    torch.manual_seed(0)
    sizes = {}
    for share_from in (1, 5):
        recipe = recipe_of("baseline")
        model = tiny_model("baseline", recipe["model"])
        model["trunk"]["share_from"] = share_from
        method = build_method("baseline", 3, model, recipe["loss"])
        for parameter in method.parameters():
            torch.nn.init.normal_(parameter)  # both spectra start from the same
        weights = sum(p.numel() for name, p in method.named_parameters() if not name.startswith("neck.classifier"))
        graph = to_onnx(method, 32, 16).graph
        sizes[share_from] = sum(np.prod(tensor.dims) for tensor in graph.initializer)
        assert sizes[share_from] == pytest.approx(weights, rel=0.05)
    assert sizes[5] > 1.5 * sizes[1]


def test_search_by_the_file_finds_what_search_by_the_folder_finds(exported, model_folder, dataset, workplace):
    query = dataset / "cam3" / "0013" / "0001.jpg"
    for camid in (camid for camid, spectrum in CAMERAS.items() if spectrum == "visible"):
        shutil.copytree(dataset / f"cam{camid}" / "0013", workplace / "photos" / f"cam{camid}")
    common = ["search", str(query), "--query-modality", "infrared", "--device", "cpu", "--model"]
    saved = ["--gallery", "photos", "--gallery-modality", "visible", "--save", "photos.h5"]
    by_folder = CliRunner().invoke(app, [*common, str(model_folder), *saved])
    assert by_folder.exit_code == 0, by_folder.output
    by_file = CliRunner().invoke(app, [*common, str(exported), "--gallery", "photos.h5"])  # of the same weights
    assert by_file.exit_code == 0, by_file.output
    names = [
        [line.split()[-1] for line in result.stdout.splitlines() if ".jpg" in line]
        for result in (by_folder, by_file)
    ]
    assert names[0] == names[1] != []


def test_file_that_is_none_of_ours_is_refused(exported, tmp_path):
    broken, foreign, text = tmp_path / "broken.onnx", tmp_path / "foreign.onnx", tmp_path / "odd.onnx"
    broken.write_bytes(exported.read_bytes()[:1000])
    graph = onnx.load(exported)
    del graph.metadata_props[:]
    onnx.save(graph, foreign)
    onnx.helper.set_model_props(graph, {"vireid": "[1, 2"})
    onnx.save(graph, text)
    for path, problem in ((broken, "not an ONNX model"), (foreign, "not a model of vireid"), (text, "no JSON")):
        with pytest.raises(UserError, match=problem):
            PictureEmbedder(path, compute=CPU)
    with pytest.raises(UserError, match="there is no model"):
        PictureEmbedder(tmp_path / "none.onnx", compute=CPU)
    with pytest.raises(UserError, match="no CUDA here"):
        OnnxModel(exported, all_cores("cuda", "fp32"))


def test_name_that_is_none_of_an_onnx_file_is_refused(model_folder, workplace):
    refused(CliRunner().invoke(app, ["export", str(model_folder), "--output", "model.bin"]), "model.onnx")
    refused(CliRunner().invoke(app, ["export", "nowhere"]), "there is no model")


def test_classical_method_is_refused_with_the_reason(tmp_path, model_folder):
    recipe = recipe_of("hog_euclidean")
    method = build_method("classical", 2, recipe["model"], recipe["loss"])
    description, _ = read_description(model_folder)
    changed = replace(description, method="classical", model=recipe["model"], loss=recipe["loss"])
    save_model(tmp_path / "model", cpu_state(method), changed)
    result = CliRunner().invoke(app, ["export", str(tmp_path / "model"), "--output", str(tmp_path / "m.onnx")])
    refused(result, "cannot be an ONNX graph")
    assert not (tmp_path / "m.onnx").exists()
