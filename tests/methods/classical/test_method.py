"""Classical methods: fitted through the step `train`, loaded, and embedding each image by itself. CPU, seconds."""

import numpy as np
import pytest
import torch

from tests.made import CONF, recipe_of, tiny_params
from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.layers import preset_names
from vireid.methods import build_method
from vireid.methods.classical.method import FEATURES, first_rows
from vireid.methods.classical.metrics import METRICS
from vireid.steps.train import train
from vireid.training.model_folder import rebuild_model

PRESETS = [name for name in preset_names(CONF, "method") if name.startswith(("hog_", "lomo_"))]
LABELS = {modality: np.repeat(np.arange(4), 3) for modality in Modality}


def noise(seed=0):
    rng = np.random.default_rng(seed)
    return {modality: rng.integers(0, 256, (12, 40, 20, 3), np.uint8) for modality in Modality}


def fitted(name, **model):
    recipe = recipe_of(name)
    method = build_method("classical", 4, recipe["model"] | {"components": 12, "width": 6} | model, recipe["loss"])
    method.fit(noise(), LABELS)
    return method


def test_presets_are_features_with_metrics():
    pairs = {(recipe_of(name)["model"]["features"], recipe_of(name)["model"]["metric"]) for name in PRESETS}
    assert {f"{features}_{metric}" for features, metric in pairs} == set(PRESETS)
    assert pairs == {(features, metric) for features in FEATURES for metric in METRICS}


@pytest.mark.parametrize("name", PRESETS)
def test_embedding_is_finite_repeats_and_does_not_depend_on_batch_mates(name):
    method, images = fitted(name), normalise(torch.from_numpy(noise(1)[Modality.INFRARED]))
    for modality in Modality:
        together = method.embed(images, modality)["embedding"]
        assert together.shape == (12, method.embedding_dims["embedding"])
        assert torch.isfinite(together).all()
        assert together.std(dim=0).max() > 0
        alone = method.embed(images[5:6], modality)["embedding"]
        torch.testing.assert_close(alone[0], together[5], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(fitted(name).embed(images, modality)["embedding"], together)


def test_spectra_have_maps_of_their_own_where_the_metric_has_them():
    images = normalise(torch.from_numpy(noise(1)[Modality.VISIBLE]))
    visible, infrared = (fitted("hog_cca").embed(images, modality)["embedding"] for modality in Modality)
    assert not torch.allclose(visible, infrared, atol=1e-2)


def test_fewer_images_than_components_leave_the_rest_at_zero():
    method = fitted("hog_lfda", components=100, width=50)
    assert method.maps.shape == (2, 100, 50)
    assert method.components[:, :24].any(dim=0).all()
    assert not method.components[:, 24:].any()


def test_first_images_of_each_identity_are_fitted_to():
    assert first_rows(np.array([3, 1, 3, 3, 1, 2]), 2).tolist() == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("name", ["hog_lfda", "lomo_euclidean"])
def test_train_step_fits_scores_and_saves(name, dataset, images_file, overlay_file, workplace):
    params = tiny_params(dataset, name, model__components=8, model__width=4)
    description = train(params, images_file, overlay_file, workplace / "model", workplace / "curves")
    assert description.selected_epoch == 0
    assert 0 < description.selected_by["holdout/mAP"] <= 100
    assert rebuild_model(workplace / "model", description).maps.any()
