"""The stage `figures` as DVC runs it, on small made-up files: what it draws, that it repeats, how it fails."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.made import ROOT, put, read_yaml
from tests.retrieval.made import random_features
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImagesInfo, create_images
from vireid.retrieval.features import write_features

FIGURES = {"cmc", "distances", "embedding_map", "ranked_lists", "worst_queries", "training"}


@pytest.fixture
def drawable(workplace):
    """Make the files that figures reads, where the pipeline has them."""
    from ruamel.yaml import YAML

    features = random_features(pids=range(1, 7), visible=1, infrared=1, noise=0.5)
    write_features(Path("artifacts/features.h5"), features.info, features.visible, features.infrared)
    with create_images(Path("artifacts/images.h5"), ImagesInfo("synthetic", 0, 8, 4, "cd" * 32)) as writer:
        for modality in Modality:
            part = features.group(modality)
            records = [ImageRecord(name, 1, 1, modality, "test") for name in part.name]
            writer.append(records, np.full((len(part), 8, 4, 3), 128, np.uint8))
    curve = Path("results/train/plots/metrics/loss/total.tsv")
    curve.parent.mkdir(parents=True)
    curve.write_text("step\ttotal\n0\t2.5\n1\t1.5\n")
    values = read_yaml(ROOT / "params.yaml")
    put(values, "dataset.name", "synthetic")
    put(values, "evaluate.protocols", ["synthetic/all_search/single_shot"])
    put(values, "evaluate.ranks", [1, 5])
    for key in values["figures"]:
        put(values, f"figures.{key}", 2)
    YAML().dump(values, Path("params.yaml"))
    return workplace


def drawn():
    return {file.name: file.read_bytes() for file in Path("results/figures").iterdir()}


def test_draws_all_figures_and_repeats_to_the_byte(stage, drawable):
    result = stage("figures")
    assert result.exit_code == 0, result.output
    first = drawn()
    assert set(first) == {f"{name}.png" for name in FIGURES}
    assert stage("figures").exit_code == 0
    assert drawn() == first


def test_collapsed_embedding_has_no_map_and_fails_nothing(stage, drawable):
    with h5py.File("artifacts/features.h5", "r+") as file:
        for modality in Modality:
            file[f"{modality.group}/embeddings/bn"][:] = 1
    result = stage("figures")
    assert result.exit_code == 0, result.output
    assert set(drawn()) == {f"{name}.png" for name in FIGURES - {"embedding_map"}}
    assert "not drawn: embedding_map.png: the embedding has collapsed" in result.stderr


def test_help_says_what_is_read_and_written(stage):
    text = stage("figures", "--help").stdout
    for name in ("features.h5", "images.h5", "results/train/plots", *FIGURES):
        assert name in text


def no_images():
    Path("artifacts/images.h5").unlink()


def other_images():
    with h5py.File("artifacts/images.h5", "r+") as file:
        file["test/visible/name"][:] = "other"


def images_of_another_source():
    with h5py.File("artifacts/images.h5", "r+") as file:
        file.attrs["source_hash"] = "ef" * 32


def no_curves():
    Path("results/train/plots/metrics/loss/total.tsv").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (no_images, "artifacts/images.h5: the file is missing"),
        (other_images, "no test image"),
        (images_of_another_source, "other images"),
        (no_curves, "no training curves"),
    ],
)
def test_bad_input_ends_with_one_clear_message_and_no_figure(stage, fails, drawable, spoil, message):
    spoil()
    fails(stage("figures"), message)
    assert not Path("results/figures").exists()
