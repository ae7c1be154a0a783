"""The folder for the Hugging Face hub: it loads back, and its card tells the truth. CPU, seconds."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from huggingface_hub import ModelCard
from typer.testing import CliRunner

from tests.refusals import refused
from vireid.cli import app
from vireid.compute import all_cores
from vireid.data.records import Modality
from vireid.export.model_card import model_card
from vireid.search.embedder import TorchModel
from vireid.training.model_folder import read_description

CPU = all_cores("cpu", "fp32")


def run(*arguments):
    return CliRunner().invoke(app, ["export", *map(str, arguments), "--format", "huggingface"])


def test_folder_has_three_files_and_loads_back(model_folder, evaluation_file, workplace):
    result = run(model_folder, "--evaluation", evaluation_file)
    assert result.exit_code == 0, result.output
    hub = workplace / "model-hub"
    assert sorted(path.name for path in hub.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert read_description(hub) == read_description(model_folder)
    original, loaded = TorchModel(model_folder, CPU), TorchModel(hub, CPU)
    pixels = np.zeros((2, *loaded.size, 3), np.uint8)
    for modality in Modality:
        expected = original.embed_batch(pixels, modality, False)
        for name, values in loaded.embed_batch(pixels, modality, False).items():
            assert np.array_equal(values, expected[name])
    assert run(model_folder, "--evaluation", evaluation_file).exit_code == 0  # an earlier folder is replaced


def test_card_has_the_numbers_with_their_intervals_and_what_the_model_was_made_from(
    model_folder, evaluation_file, workplace
):
    run(model_folder, "--evaluation", evaluation_file)
    card = ModelCard.load(workplace / "model-hub" / "README.md")
    description, model_hash = read_description(model_folder)
    protocols = json.loads(evaluation_file.read_text())["protocols"]
    for name, protocol in protocols.items():
        row = next(line for line in card.text.splitlines() if f"`{name}`" in line)
        low, high = protocol["interval95"]["mAP"]
        assert f"{protocol['mean']['mAP']:.1f} ({low:.1f} to {high:.1f})" in row
        how = protocol["protocol"]
        gallery = rf"{protocol['gallery_size']}, {how['trials']} galleries \({how['gallery_draw']}\)"
        assert re.search(rf"\| {protocol['queries']} \| {gallery} \| {how['cmc_counting']} \|", row)
    results = {(r.dataset_config, r.metric_type): r.metric_value for r in card.data.eval_results}
    assert results[name, "rank1"] == pytest.approx(protocol["mean"]["rank1"], abs=0.005)
    assert f"{len(description.train_pids)}, and {len(description.holdout_pids)} that chose" in card.text
    assert model_hash in card.text
    assert "random weights" in card.text
    assert card.data.library_name == "vireid"


def test_card_of_protocols_with_other_metrics_leaves_blank_what_one_lacks(model_folder, evaluation_file):
    evaluation = json.loads(evaluation_file.read_text())
    (first, *_, last) = evaluation["protocols"].values()
    del first["mean"]["rank1"], last["mean"]["mINP"]
    lines = model_card(*read_description(model_folder), evaluation).text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| protocol"))
    head, rows = cells(lines[start]), [cells(line) for line in lines[start + 2 :][: len(evaluation["protocols"])]]
    assert {len(row) for row in rows} == {len(head)}
    for evaluated, row, lacking in ((first, rows[0], "rank-1"), (last, rows[-1], "mINP")):
        told = dict(zip(head, row, strict=True))
        assert told[lacking] == "\N{EN DASH}"
        assert told["mAP"].startswith(f"{evaluated['mean']['mAP']:.1f} (")


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.mark.parametrize("licence", ["BSD-3-Clause", None])
def test_card_tells_the_licence_of_pretrained_weights(model_folder, licence):
    description, model_hash = read_description(model_folder)
    origin = {"name": "resnet50", "source": "torchvision", "licence": licence}
    started = replace(description, pretrained_weights=[origin])
    card = model_card(started, model_hash, None).text
    assert f"- started from `resnet50` (torchvision), licence {licence or 'not stated'}" in card
    assert "random weights" not in card


def test_card_without_numbers_says_so(model_folder, workplace):
    assert run(model_folder, "--unevaluated").exit_code == 0
    card = ModelCard.load(workplace / "model-hub" / "README.md")
    assert "Not evaluated." in card.text
    assert card.data.eval_results is None


def test_numbers_of_another_model_are_refused_and_missing_ones_too(model_folder, evaluation_file, workplace):
    other = workplace / "other.json"
    other.write_text(json.dumps(json.loads(evaluation_file.read_text()) | {"model_hash": "ab" * 32}))
    refused(run(model_folder, "--evaluation", other), "another model")
    refused(run(model_folder), "there is no evaluation", "--unevaluated")
    (workplace / "text.json").write_text("no JSON")
    refused(run(model_folder, "--evaluation", workplace / "text.json"), "not an evaluation")
    assert not (workplace / "model-hub").exists()


def test_folder_with_anything_else_in_it_is_left_alone(model_folder, workplace):
    (workplace / "model-hub").mkdir()
    (workplace / "model-hub" / "notes.txt").write_text("mine")
    refused(run(model_folder, "--unevaluated"), "notes.txt")
    assert (workplace / "model-hub" / "notes.txt").read_text() == "mine"
