"""The nearest vectors, all compared and by the FAISS index: against brute force. CPU, seconds."""

from pathlib import Path

import numpy as np
import pytest

from vireid.search.index import build_index, load_index, nearest, save_index, unit_vectors
from vireid.support.errors import UserError


@pytest.fixture(scope="module")
def vectors():
    """A gallery of 40 groups of 50, of any length, and a query near each group."""
    generator = np.random.default_rng(0)
    centres = generator.standard_normal((40, 16))
    gallery = np.repeat(centres, 50, axis=0) + 0.2 * generator.standard_normal((2000, 16))
    gallery *= generator.uniform(0.5, 3, (2000, 1))
    return gallery.astype("f4"), (centres + 0.2 * generator.standard_normal((40, 16))).astype("f4")


def brute_force(queries, gallery):
    units = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in (queries.astype(float), gallery)]
    return np.linalg.norm(units[0][:, None] - units[1][None], axis=2)


def test_full_disk_is_an_error_of_the_system(tmp_path, vectors, monkeypatch):
    index = build_index(unit_vectors(vectors[0]))
    monkeypatch.setattr(Path, "open", lambda *_: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
    with pytest.raises(OSError, match="No space left"):
        save_index(tmp_path / "index.faiss", index)
    assert list(tmp_path.iterdir()) == []


def test_all_compared_are_the_closest_of_all(vectors):
    gallery, queries = vectors
    distmat = brute_force(queries, gallery)
    for row, (rows, distance) in enumerate(nearest(queries, gallery, 10, None)):
        assert rows.tolist() == np.argsort(distmat[row])[:10].tolist()
        assert distance == pytest.approx(distmat[row, rows], abs=1e-6)


def test_index_finds_most_of_them_with_exact_distances_in_order(vectors):
    gallery, queries = vectors
    distmat = brute_force(queries, gallery)
    shared = []
    for row, (rows, distance) in enumerate(nearest(queries, gallery, 10, build_index(unit_vectors(gallery)))):
        assert distance == pytest.approx(distmat[row, rows], abs=1e-6)
        assert (np.diff(distance) >= 0).all()
        shared.append(len(np.intersect1d(rows, np.argsort(distmat[row])[:10])))
    assert np.mean(shared) > 8


def test_equal_distances_come_in_the_gallerys_order_and_a_copy_is_at_zero():
    gallery = np.array([[0, 1], [3, 0], [0, 5], [1, 0]], "f4")
    ((rows, distance),) = nearest(np.array([[2.0, 0]], "f4"), gallery, 4, None)
    assert rows.tolist() == [1, 3, 0, 2]
    assert distance.tolist() == pytest.approx([0, 0, 2**0.5, 2**0.5])


def test_small_gallery_is_returned_whole(vectors):
    gallery, queries = vectors
    assert len(nearest(queries[:1], gallery[:3], 10, None)[0][0]) == 3


def test_lists_that_hold_too_few_give_what_they_hold(vectors):
    gallery, queries = vectors
    index = build_index(unit_vectors(gallery))
    index.nprobe = 1
    for rows, _ in nearest(queries, gallery, 2000, index):
        assert 0 < len(rows) < 2000
        assert rows.min() >= 0


def test_index_is_the_same_from_run_to_run_and_after_loading(vectors, tmp_path):
    gallery, queries = vectors
    first = save_index(tmp_path / "first.faiss", build_index(unit_vectors(gallery)))
    assert save_index(tmp_path / "again.faiss", build_index(unit_vectors(gallery))) == first
    loaded = load_index(tmp_path / "first.faiss", first)
    expected = nearest(queries, gallery, 5, build_index(unit_vectors(gallery)))
    for (rows, _), (found, _) in zip(expected, nearest(queries, gallery, 5, loaded), strict=True):
        assert rows.tolist() == found.tolist()


def test_other_or_missing_index_is_refused(vectors, tmp_path):
    save_index(tmp_path / "index.faiss", build_index(unit_vectors(vectors[0])))
    for path in ("index.faiss", "nowhere.faiss"):
        with pytest.raises(UserError, match="not the index of this gallery"):
            load_index(tmp_path / path, "ab" * 32)
