"""Batches: what is in them, and that neither threads nor the place of the images change a bit. CPU, seconds."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from vireid.data.augmentation import normalise
from vireid.data.randomness import Stream, generator
from vireid.support.errors import UserError
from vireid.support.progress import progress
from vireid.training import data
from vireid.training import loader as module
from vireid.training.data import load_training_images
from vireid.training.loader import Loader

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def settings(params):
    return params.train.model_copy(update={"num_instances": 2, "steps_per_epoch": 9})


@pytest.fixture(scope="module", params=[0.0, 1.0], ids=["in the file", "in memory"])
def images(request, images_file, overlay_file, settings):
    return load_training_images(images_file, overlay_file, settings, 0, request.param)


def epoch_of(images, settings, seed=0, epoch=0, workers=0):
    return list(Loader(images, settings, seed, CPU, workers).epoch(epoch))


def equal(first, second):
    """Tell whether two epochs have the same batches."""
    return all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and a.visible == b.visible
        for a, b in zip(first, second, strict=True)
    )


def test_batch_has_the_visible_half_first_and_labels_of_its_images(images, settings):
    plain = settings.augmentation.model_copy(update={"pad": 0, "flip": 0.0, "erase": 0.0, "channel_mix": 0.0})
    loader = Loader(images, settings.model_copy(update={"augmentation": plain}), 0, CPU, workers=2)
    rows, found = list(loader.sampler.epoch(5)), list(loader.epoch(5))
    assert len(found) == len(rows) == len(loader) == 9
    for batch, (visible, infrared) in zip(found, rows, strict=True):
        assert (batch.visible, len(batch.labels)) == (8, 16)
        pids = images.pids[batch.labels.numpy()]
        assert pids.tolist() == [*images.fitted[0].pid[visible], *images.fitted[1].pid[infrared]]
        expected = [np.asarray(images.fitted[i].image[rows]) for i, rows in enumerate((visible, infrared))]
        assert torch.equal(batch.images, normalise(torch.from_numpy(np.concatenate(expected))))
        assert batch.labels[:8].tolist() == batch.labels[8:].tolist()


def test_labels_are_contiguous_from_zero(images, settings):
    seen = torch.cat([batch.labels for epoch in range(4) for batch in epoch_of(images, settings, epoch=epoch)])
    assert set(seen.tolist()) == set(range(len(images.pids)))


def test_batches_depend_on_seed_and_epoch_alone(images, settings):
    first = epoch_of(images, settings, seed=0, epoch=1)
    assert equal(first, epoch_of(images, settings, seed=0, epoch=1))
    assert not equal(first, epoch_of(images, settings, seed=0, epoch=2))
    assert not equal(first, epoch_of(images, settings, seed=1, epoch=1))


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_number_of_workers_changes_nothing(images, settings, workers):
    assert equal(epoch_of(images, settings), epoch_of(images, settings, workers=workers))


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_each_batch_by_identities_and_change_its_images_alike(images, settings, processes):
    shares = [list(Loader(images, settings, 0, CPU, 0, rank, processes).epoch(0)) for rank in range(processes)]
    for step, whole in enumerate(epoch_of(images, settings)):
        parts = [share[step] for share in shares]
        for modality in (0, 1):
            assert torch.equal(
                torch.cat([p.images[p.rows(modality)] for p in parts]), whole.images[whole.rows(modality)]
            )
            assert torch.equal(
                torch.cat([p.labels[p.rows(modality)] for p in parts]), whole.labels[whole.rows(modality)]
            )
        identities = [set(part.labels.tolist()) for part in parts]
        assert sum(map(len, identities)) == len(set.union(*identities)) == settings.num_pids


def test_batch_that_cannot_be_shared_evenly_is_refused(images, settings):
    with pytest.raises(UserError, match="cannot share a batch evenly"):
        Loader(images, settings, 0, CPU, 0, 0, 3)


def test_epoch_can_begin_within_and_its_images_have_names(images, settings):
    loader = Loader(images, settings, 0, CPU, 1)
    assert equal(list(loader.epoch(2, 7)), list(loader.epoch(2))[7:])
    visible, infrared = list(loader.sampler.epoch(2))[4]
    expected = [*images.fitted[0].name[visible], *images.fitted[1].name[infrared]]
    assert loader.names(2, 4) == expected


def test_workers_take_no_teams_of_threads_from_the_step(images, settings, monkeypatch):
    teams, original = [], module.augmented
    monkeypatch.setattr(
        module, "augmented", lambda *given: teams.append(torch.get_num_threads()) or original(*given)
    )
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        whole = epoch_of(images, settings, workers=2)
        assert set(teams) == {1}
        assert torch.get_num_threads() == 3
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
        assert equal(whole, epoch_of(images, settings, workers=0))
    finally:
        torch.set_num_threads(threads)


def test_steps_of_an_epoch_change_images_in_ways_of_their_own(images, settings, monkeypatch):
    monkeypatch.setattr(module, "generator", lambda *key: keys.append(key) or original(*key))
    keys, original = [], generator
    epoch_of(images, settings, seed=3, epoch=5)
    assert keys == [(3, Stream.AUGMENTATION, 5, step) for step in range(9)]


def test_images_are_copied_to_a_device_in_blocks(images, settings, monkeypatch):
    monkeypatch.setattr(data, "_BLOCK", 7)
    for part in images.fitted:
        with progress("copy", len(part), "images") as bar:
            copy = data.copied(part.image, CPU, bar)
        assert copy.dtype == torch.uint8
        assert np.array_equal(copy, np.asarray(part.image))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_on_a_gpu_are_those_on_the_cpu(images, settings):
    found = Loader(images, settings, 0, torch.device("cuda"), 2).epoch(0)
    for batch, expected in zip(found, epoch_of(images, settings), strict=True):
        assert batch.images.is_cuda
        assert torch.equal(batch.labels.cpu(), expected.labels)
        assert torch.allclose(batch.images.cpu(), expected.images, atol=1e-5)


def test_images_in_memory_and_in_the_file_make_the_same_batches(images_file, overlay_file, settings):
    first, second = (load_training_images(images_file, overlay_file, settings, 0, size) for size in (0.0, 1.0))
    assert equal(epoch_of(first, settings), epoch_of(second, settings))


def test_images_in_a_tensor_make_the_same_batches(images, settings, monkeypatch):
    expected = epoch_of(images, settings)
    as_on_a_gpu = lambda sources, device: [torch.from_numpy(np.asarray(source)) for source in sources]  # noqa: E731
    monkeypatch.setattr(module, "_on_device", as_on_a_gpu)
    assert equal(expected, epoch_of(images, settings))


def test_only_a_few_batches_are_prepared_ahead(images, settings, monkeypatch):
    prepared = []
    original = Loader._batch
    monkeypatch.setattr(Loader, "_batch", lambda self, *step: prepared.append(step) or original(self, *step))
    batches = Loader(images, settings, 0, CPU, workers=2).epoch(0)
    next(batches)
    assert 1 <= len(prepared) <= 5
    batches.close()


def test_workers_end_with_the_epoch_and_when_it_is_left_early(images, settings):
    loader, before = Loader(images, settings, 0, CPU, workers=3), threading.active_count()
    batches = loader.epoch(0)
    next(batches)
    assert threading.active_count() > before
    batches.close()
    assert threading.active_count() == before
    list(loader.epoch(0))
    assert threading.active_count() == before


def test_error_in_a_worker_is_raised_where_batches_are_used(images, settings, monkeypatch):
    def fail(*arguments):
        raise OSError("the file is gone")

    monkeypatch.setattr(module, "augmented", fail)
    with pytest.raises(OSError, match="gone"):
        epoch_of(images, settings, workers=2)
