"""What training sees: held-out identities, overlays and labels; how epochs are scored. CPU, seconds."""

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from tests.made import PACKED, TEST, TRAIN, VAL
from tests.reference.holdout import scores
from vireid.data.records import ImageRecord, Modality
from vireid.data.store import ImageSet, create_images, open_images
from vireid.data.stored_images import StoredImages
from vireid.support.errors import UserError
from vireid.training.data import load_training_images
from vireid.training.holdout import holdout_scores


@pytest.fixture(scope="module")
def settings(params):
    return params.train


@pytest.fixture(scope="module")
def loaded(images_file, overlay_file, settings):
    return load_training_images(images_file, overlay_file, settings, seed=0, memory=1.0)


def pids_of(pair):
    return [set(part.pid.tolist()) for part in pair]


def overlay(path, info, names=(), images=None):
    with create_images(path, info) as writer:
        if names:
            records = [ImageRecord(name, 1, 1, Modality.VISIBLE, "train") for name in names]
            writer.append(records, images)
    return path


def info_of(images_file):
    with open_images(images_file) as file:
        return file.info


def test_held_out_and_fitted_identities_are_disjoint_and_make_up_the_training_split(loaded, settings):
    fitted, held_out = pids_of(loaded.fitted), pids_of(loaded.holdout)
    assert fitted[0] == fitted[1] == set(loaded.pids.tolist())
    assert held_out[0] == held_out[1]
    assert len(held_out[0]) == settings.holdout_pids
    assert fitted[0].isdisjoint(held_out[0])
    assert fitted[0] | held_out[0] == {*TRAIN, *VAL}


def test_test_identities_are_never_loaded(loaded):
    for part in (*loaded.fitted, *loaded.holdout):
        assert set(part.pid.tolist()).isdisjoint(TEST)


def test_held_out_identities_are_drawn_by_the_seed(images_file, overlay_file, settings):
    drawn = [
        frozenset(load_training_images(images_file, overlay_file, settings, seed, 1.0).holdout[0].pid.tolist())
        for seed in (0, 0, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_no_identity_is_held_out_where_none_is_asked_for(images_file, overlay_file, settings):
    chosen = settings.model_copy(update={"holdout_pids": 0})
    found = load_training_images(images_file, overlay_file, chosen, 0, 1.0)
    assert [len(part) for part in found.holdout] == [0, 0]
    assert found.pids.tolist() == sorted([*TRAIN, *VAL])


def test_images_of_the_overlay_take_the_place_of_the_packed_ones(images_file, overlay_file, settings):
    chosen = settings.model_copy(update={"holdout_pids": 0})
    found = load_training_images(images_file, overlay_file, chosen, 0, 1.0)
    with open_images(images_file) as file, open_images(overlay_file) as replaced:
        packed = [file.read("train", modality) for modality in Modality]
        sharpened = replaced.read("train", Modality.VISIBLE)
        assert found.info == replaced.info
    row_of = {name: row for row, name in enumerate(sharpened.name)}
    assert len(row_of) == 24
    for row, name in enumerate(found.fitted[0].name):
        expected = sharpened.image[row_of[name]] if name in row_of else packed[0].image[row]
        assert np.array_equal(found.fitted[0].image[row], expected)
        assert (name in row_of) == name.startswith("cam1/")
    assert np.array_equal(found.fitted[1].image, packed[1].image)
    assert not np.array_equal(found.fitted[0].image, packed[0].image)


def test_held_out_images_are_never_super_resolved(loaded, images_file):
    with open_images(images_file) as file:
        packed = file.read("train", Modality.VISIBLE)
    row_of = {name: row for row, name in enumerate(packed.name)}
    held_out = loaded.holdout[Modality.VISIBLE]
    assert any(name.startswith("cam1/") for name in held_out.name)
    for name, image in zip(held_out.name, held_out.image, strict=True):
        assert np.array_equal(image, packed.image[row_of[name]])


def test_overlay_of_other_images_is_refused(tmp_path, images_file, settings):
    path = overlay(tmp_path / "o.h5", replace(info_of(images_file), source_hash="00" * 32))
    with pytest.raises(UserError, match="made from other images"):
        load_training_images(images_file, path, settings, 0, 1.0)


def test_overlay_of_another_size_is_refused(tmp_path, images_file, settings):
    info = replace(info_of(images_file), height=16, width=8)
    path = overlay(tmp_path / "o.h5", info, ["cam1/0001/0001.jpg"], np.zeros((1, 16, 8, 3), np.uint8))
    with pytest.raises(UserError):
        load_training_images(images_file, path, settings, 0, 1.0)


def test_overlay_with_a_foreign_image_is_refused(tmp_path, images_file, settings):
    path = overlay(
        tmp_path / "o.h5", info_of(images_file), ["cam1/0099/0001.jpg"], np.zeros((1, *PACKED, 3), np.uint8)
    )
    with pytest.raises(UserError, match="no original"):
        load_training_images(images_file, path, settings, 0, 1.0)


def test_identity_without_one_modality_is_named(tmp_path, images_file, settings):
    path = tmp_path / "images.h5"
    shutil.copy(images_file, path)
    with h5py.File(path, "a") as file:
        pid = file["train/infrared/pid"]
        pid[pid[:] == 7] = 8
    empty = overlay(tmp_path / "o.h5", info_of(path))
    with pytest.raises(UserError, match="1 identities lack one modality") as error:
        load_training_images(path, empty, settings, 0, 1.0)
    assert error.value.found == "identities 7"


@pytest.mark.parametrize(("holdout_pids", "num_pids"), [(9, 4), (12, 2), (99, 2), (0, 13)])
def test_too_few_identities_left_are_refused(images_file, overlay_file, settings, holdout_pids, num_pids):
    chosen = settings.model_copy(update={"holdout_pids": holdout_pids, "num_pids": num_pids})
    with pytest.raises(UserError, match="too few training identities"):
        load_training_images(images_file, overlay_file, chosen, 0, 1.0)


def test_images_that_do_not_fit_the_memory_stay_in_their_files_and_are_the_same(
    images_file, overlay_file, settings, loaded
):
    size = sum(part.image.nbytes for part in (*loaded.fitted, *loaded.holdout)) / 2**30
    for memory, kind in ((size, np.ndarray), (0.999 * size, StoredImages), (0.0, StoredImages)):
        found = load_training_images(images_file, overlay_file, settings, 0, memory)
        for part, expected in zip((*found.fitted, *found.holdout), (*loaded.fitted, *loaded.holdout), strict=True):
            assert type(part.image) is kind
            assert np.array_equal(part.image, expected.image)


def image_set(pids):
    pids = np.asarray(pids)
    return ImageSet(np.zeros((len(pids), 1, 1, 3), np.uint8), pids, np.ones_like(pids), pids.astype(str))


@pytest.mark.parametrize("seed", range(5))
def test_holdout_scores_agree_with_slow_loops(seed):
    rng = np.random.default_rng(seed)
    pids = [rng.permutation(np.repeat(np.arange(5), count)) for count in (4, 3)]
    embeddings = tuple(rng.normal(size=(len(part), 6)).astype(np.float32) for part in pids)
    found = holdout_scores(embeddings, tuple(map(image_set, pids)))
    mean_ap, rank1 = scores(*embeddings, *pids)
    assert found["holdout/mAP"] == pytest.approx(mean_ap, rel=1e-5)
    assert found["holdout/rank1"] == pytest.approx(rank1, rel=1e-9)


def test_holdout_scores_do_not_hang_on_the_order_in_which_a_product_is_added_up():
    rng = np.random.default_rng(0)
    pids = [rng.permutation(np.repeat(np.arange(20), 4)) for _ in range(2)]
    # Equal embeddings of several identities: their order must not come from rounding errors.
    points = rng.normal(size=(10, 64)).astype(np.float32)
    embeddings = [points[part % 10] for part in pids]
    images = tuple(map(image_set, pids))
    scored = [
        holdout_scores(tuple(e[:, order] for e in embeddings), images) for order in map(rng.permutation, [64] * 8)
    ]
    assert all(scores == scored[0] for scores in scored)


def test_perfect_embedding_scores_a_hundred_whatever_its_lengths():
    pids = [np.repeat(np.arange(4), 3), np.repeat(np.arange(4), 2)]
    embeddings = tuple((np.eye(4)[part] * (1 + np.arange(len(part)))[:, None]).astype(np.float32) for part in pids)
    assert holdout_scores(embeddings, tuple(map(image_set, pids))) == {"holdout/mAP": 100, "holdout/rank1": 100}
