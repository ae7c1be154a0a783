"""Packing a data set: same bytes for any number of workers, bad images, unusable roots. CPU, seconds."""

import os
import shutil
import time
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from tests.made import (
    IMAGES_PER_CAMERA,
    PACKED,
    dataset_at,
    draw_dataset,
    draw_llcm,
    draw_regdb,
    tree,
)
from vireid.data.decode import decode
from vireid.data.ingest import pack_images
from vireid.data.looks import Look
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.statistics import describe
from vireid.data.store import open_images
from vireid.datasets.find import find_images
from vireid.params import Ingest
from vireid.support.errors import UserError

SETTINGS = Ingest(height=PACKED[0], width=PACKED[1], on_bad_image="error")
SKIP = Ingest(height=PACKED[0], width=PACKED[1], on_bad_image="skip")
PERCENTILES = Scaling("percentiles", 0.5, 99.5)
BROKEN = "cam3/0001/0001.jpg"


@pytest.fixture
def small(tmp_path):
    """A data set of three identities with one image per camera, to be broken."""
    return dataset_at(draw_dataset(tmp_path / "data", train=(1,), val=(2,), test=(3,), images=1))


def pack(data, output, settings=SETTINGS, workers=1):
    return pack_images(find_images(data), data, settings, workers, output)


def test_file_is_the_same_for_one_and_two_workers(tmp_path, images_file, dataset):
    data = dataset_at(dataset)
    packed = pack(data, tmp_path / "two.h5", workers=2)
    assert (tmp_path / "two.h5").read_bytes() == images_file.read_bytes()
    assert packed.skipped == {}
    assert packed.records == find_images(data)


def test_file_holds_every_image_decoded_in_the_order_of_the_layout(images_file, dataset):
    records = find_images(dataset_at(dataset))
    with open_images(images_file) as file:
        assert (file.info.dataset, file.info.trial, file.info.superresolve) == ("synthetic", 0, "none")
        for split in ("train", "test"):
            for modality in Modality:
                expected = [r for r in records if (r.split, r.modality) == (split, modality)]
                found = file.read(split, modality)
                assert found.name.tolist() == [r.name for r in expected]
                assert found.pid.tolist() == [r.pid for r in expected]
                assert found.camid.tolist() == [r.camid for r in expected]
                for row in (0, len(found) // 2, -1):
                    decoded = decode(dataset / found.name[row], *PACKED, PERCENTILES)
                    assert np.array_equal(found.image[row], decoded.image)


def test_tasks_never_mix_splits_or_modalities_and_lose_nothing(dataset):
    from vireid.data.ingest import _tasks

    records = find_images(dataset_at(dataset))
    tasks = list(_tasks(records))
    assert [record for task in tasks for record in task] == records
    assert all(len({(r.split, r.modality) for r in task}) == 1 for task in tasks)
    assert max(map(len, tasks)) == 32


def test_more_tasks_than_the_pool_takes_at_once_keep_their_order(tmp_path, dataset, monkeypatch, images_file):
    from vireid.data import ingest

    monkeypatch.setattr(ingest, "_IMAGES_PER_TASK", 7)
    pack(dataset_at(dataset), tmp_path / "small_tasks.h5", workers=1)
    with open_images(tmp_path / "small_tasks.h5") as found, open_images(images_file) as expected:
        assert found.info == expected.info
        for split, modality in product(("train", "test"), Modality):
            pair = found.read(split, modality), expected.read(split, modality)
            assert np.array_equal(*(part.name for part in pair))
            assert np.array_equal(*(part.image for part in pair))


def test_unreadable_image_is_an_error_that_names_the_file(tmp_path, small):
    (tmp_path / "data" / BROKEN).write_bytes(b"no image")
    with pytest.raises(UserError, match="cannot be read") as error:
        pack(small, tmp_path / "images.h5")
    assert error.value.where == tmp_path / "data" / BROKEN
    assert "on_bad_image: skip" in error.value.remedy


def test_error_leaves_the_earlier_file_and_nothing_half_written(tmp_path, small):
    pack(small, tmp_path / "out" / "images.h5")
    before = tree(tmp_path / "out")
    (tmp_path / "data" / BROKEN).write_bytes(b"")
    with pytest.raises(UserError):
        pack(small, tmp_path / "out" / "images.h5")
    assert tree(tmp_path / "out") == before


def test_skipped_image_is_counted_and_left_out(tmp_path, small):
    (tmp_path / "data" / BROKEN).write_bytes(b"no image")
    packed = pack(small, tmp_path / "images.h5", SKIP)
    assert list(packed.skipped) == [BROKEN]
    assert "(8 bytes)" in packed.skipped[BROKEN]
    statistics = describe(packed, small, SKIP)
    assert statistics["skipped"] == packed.skipped
    assert statistics["images"] == 3 * 6 - 1
    assert statistics["splits"]["train"]["modalities"]["infrared"]["cameras"]["3"] == {
        "images": 1,
        "identities": 1,
    }
    with open_images(tmp_path / "images.h5") as file:
        assert BROKEN not in file.read("train", Modality.INFRARED).name


def test_skipping_every_image_of_a_camera_is_refused(tmp_path, small):
    (tmp_path / "data" / "cam3" / "0003" / "0001.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="no test image of infrared camera 3 can be read") as error:
        pack(small, tmp_path / "images.h5", SKIP)
    assert error.value.found == "1 of 18 images that cannot be read"
    assert not (tmp_path / "images.h5").exists()


def test_only_a_few_tasks_are_decoded_ahead(tmp_path, dataset, monkeypatch):
    from vireid.data import ingest

    decoded, original = [], ingest.decode
    monkeypatch.setattr(ingest, "_IMAGES_PER_TASK", 4)
    monkeypatch.setattr(ingest, "decode", lambda path, *size: decoded.append(path) or original(path, *size))
    records = find_images(dataset_at(dataset))
    results = ingest._decode_all(dataset, records, SETTINGS, PERCENTILES, 2)
    next(results)
    assert 4 <= len(decoded) <= 4 * (ingest._TASKS_PER_WORKER * 2 + 1)
    results.close()
    assert len(decoded) <= 4 * (ingest._TASKS_PER_WORKER * 2 + 1) < len(records)


def test_error_stops_the_tasks_that_are_being_decoded(tmp_path, dataset, monkeypatch):
    from vireid.data import ingest

    decoded = []

    def slow(path, *how):
        decoded.append(path)
        time.sleep(0.02)
        return decode(path, *how)

    monkeypatch.setattr(ingest, "decode", slow)
    results = ingest._decode_all(dataset, find_images(dataset_at(dataset)), SETTINGS, PERCENTILES, 1)
    next(results)
    before = len(decoded)
    results.close()
    assert len(decoded) <= before + 2


def test_name_that_is_not_utf8_is_named(tmp_path):
    data = dataset_at(draw_llcm(tmp_path / "llcm"), "llcm")
    folder = os.fsencode(tmp_path / "llcm" / "test_vis" / "cam1" / "0002")
    Path(os.fsdecode(folder + b"/x\xff.jpg")).write_bytes(b"")
    with pytest.raises(UserError, match="not UTF-8") as error:
        find_images(data)
    assert str(error.value.where).endswith("0002/x\\xff.jpg")


def test_identity_beyond_the_column_is_named(tmp_path):
    data = dataset_at(draw_regdb(tmp_path / "data", train=(99999999999,), images=1, trials=(1,)), "regdb", trial=1)
    with pytest.raises(UserError, match="too many digits") as error:
        find_images(data)
    assert error.value.found == 99999999999


def test_source_hash_changes_with_a_byte_and_with_the_split(tmp_path, small):
    root = tmp_path / "data"
    hashes = {pack(small, tmp_path / "images.h5").source_hash}
    path = root / BROKEN
    original = path.read_bytes()
    path.write_bytes(original + b"\0")
    hashes.add(pack(small, tmp_path / "images.h5").source_hash)
    path.write_bytes(original)
    (root / "exp" / "val_id.txt").write_text("3")
    (root / "exp" / "test_id.txt").write_text("2")
    hashes.add(pack(small, tmp_path / "images.h5").source_hash)
    shutil.move(root / BROKEN, root / "cam3" / "0001" / "0002.jpg")
    hashes.add(pack(small, tmp_path / "images.h5").source_hash)
    assert len(hashes) == 4


def test_source_hash_changes_with_a_split_that_leaves_the_order_of_images_alone(tmp_path, small):
    root = tmp_path / "data"
    for camera in (1, 2, 4, 5):  # identities 2 and 3 keep infrared images only
        for pid in (2, 3):
            shutil.rmtree(root / f"cam{camera}" / f"{pid:04d}")
    first = pack(small, tmp_path / "images.h5")
    (root / "exp" / "val_id.txt").write_text("1")
    (root / "exp" / "test_id.txt").write_text("2,3")
    second = pack(small, tmp_path / "images.h5")
    assert [r.name for r in first.records] == [r.name for r in second.records]
    assert first.source_hash != second.source_hash


def test_source_hash_does_not_change_with_the_place_or_the_size(tmp_path, small):
    first = pack(small, tmp_path / "images.h5").source_hash
    shutil.move(tmp_path / "data", tmp_path / "elsewhere")
    other = dataset_at(tmp_path / "elsewhere")
    assert pack(other, tmp_path / "images.h5", SKIP).source_hash == first
    with open_images(tmp_path / "images.h5") as file:
        assert file.info.source_hash == first


def test_statistics_count_images_and_identities(dataset, params):
    from vireid.data.ingest import Packed

    records = find_images(params.dataset)
    digests = [record.name.encode() for record in records]
    looks = [Look(128, 64)] * len(records)
    found = describe(Packed(records, digests, looks, {}, "ab"), params.dataset, params.ingest)
    assert found["warnings"] == []
    train = found["splits"]["train"]
    assert (train["images"], train["identities"]) == (12 * 6 * IMAGES_PER_CAMERA, 12)
    assert train["modalities"]["visible"]["images"] == 12 * 4 * IMAGES_PER_CAMERA
    assert sorted(train["modalities"]["infrared"]["cameras"]) == ["3", "6"]
    assert found["splits"]["test"]["images_per_identity"]["14"] == {
        "visible": 4 * IMAGES_PER_CAMERA,
        "infrared": 2 * IMAGES_PER_CAMERA,
    }


def test_missing_root_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing") as error:
        find_images(dataset_at(tmp_path / "none"))
    assert "vireid synthesize" in error.value.remedy


def test_root_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(UserError):
        find_images(dataset_at(tmp_path / "data"))


def test_empty_root_is_refused(tmp_path):
    with pytest.raises(UserError, match="empty"):
        find_images(dataset_at(tmp_path))


def test_symlinked_root_is_refused_with_where_it_leads(tmp_path, dataset):
    (tmp_path / "link").symlink_to(dataset)
    with pytest.raises(UserError, match="symbolic link") as error:
        find_images(dataset_at(tmp_path / "link"))
    assert str(dataset) in error.value.remedy
    assert "dvc checkout" in error.value.remedy


def test_trial_of_a_layout_without_trials_is_refused(dataset):
    with pytest.raises(UserError, match="no trials") as error:
        find_images(dataset_at(dataset).model_copy(update={"trial": 3}))
    assert error.value.found == 3


def test_another_folder_is_refused(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(UserError, match="layout"):
        find_images(dataset_at(tmp_path))


@pytest.mark.parametrize("trial", [0, 11])
def test_regdb_needs_a_trial_that_exists(tmp_path, trial):
    data = dataset_at(draw_regdb(tmp_path / "data", images=1), "regdb", trial=trial)
    with pytest.raises(UserError, match="split anew in each trial") as error:
        find_images(data)
    assert "from 1 to 10" in error.value.expected


@pytest.mark.parametrize(("draw", "layout", "trial"), [(draw_regdb, "regdb", 2), (draw_llcm, "llcm", 0)])
def test_every_layout_is_packed_and_says_its_trial(tmp_path, draw, layout, trial):
    data = dataset_at(draw(tmp_path / "data", images=1), layout, trial=trial)
    packed = pack(data, tmp_path / "images.h5")
    with open_images(tmp_path / "images.h5") as file:
        assert file.info.trial == trial
        assert sum(len(file.read(s, m)) for s, m in product(("train", "test"), Modality)) == len(packed.records)
    assert describe(packed, data, SETTINGS)["trial"] == trial


def test_trials_differ_in_their_source_hash(tmp_path):
    data = dataset_at(draw_regdb(tmp_path / "data", images=1), "regdb")
    hashes = {
        pack(data.model_copy(update={"trial": trial}), tmp_path / "images.h5").source_hash for trial in (1, 2)
    }
    assert len(hashes) == 2


def test_layout_without_a_validation_list_has_none_to_leave_out(tmp_path):
    data = dataset_at(draw_llcm(tmp_path / "data"), "llcm", train_on_val=False)
    with pytest.raises(UserError, match="no validation list"):
        find_images(data)


def test_layout_without_official_galleries_is_refused_them(tmp_path):
    data = dataset_at(draw_llcm(tmp_path / "data"), "llcm", gallery_draw="official")
    with pytest.raises(UserError, match="no official galleries"):
        find_images(data)


def test_official_places_are_packed_with_the_test_images_only(tmp_path, small):
    records = find_images(small)
    told = [replace(r, official_places=(r.camid, 3)) if r.split == "test" else r for r in records]
    pack_images(told, small, SETTINGS, 1, tmp_path / "images.h5")
    with open_images(tmp_path / "images.h5") as file:
        assert file.read("test", Modality.INFRARED).optional["official_places"].tolist() == [[3, 3], [6, 3]]
        assert file.read("train", Modality.INFRARED).optional == {}
