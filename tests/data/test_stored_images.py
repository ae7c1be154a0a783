"""Images that stay in their files: they behave like the array they stand for. CPU, seconds."""

import h5py
import numpy as np
import pytest

from vireid.data.stored_images import StoredImages


def pixels(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 4, 3, 3), np.uint8)


@pytest.fixture
def stored(tmp_path):
    """Make stored images of a seed's pixels."""

    def make(count, seed=0):
        path = tmp_path / f"{seed}.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("image", data=pixels(count, seed), chunks=(3, 4, 3, 3))
        return StoredImages(path, "image", "draw it again")

    return make


def test_length_shape_size_and_content_are_the_arrays(stored):
    found, expected = stored(10), pixels(10)
    assert (len(found), found.shape, found.nbytes) == (10, expected.shape, expected.nbytes)
    assert np.asarray(found).dtype == np.uint8
    assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    "rows",
    [
        slice(2, 5),
        slice(8, 99),
        slice(4, 4),
        np.array([7, 0, 1, 2, 2, 9, 8]),
        np.array([], int),
        np.arange(10) % 3 == 0,
    ],
)
def test_rows_are_those_of_the_array_twice_over(stored, rows):
    found, expected = stored(10)[rows], pixels(10)[rows]
    assert found.shape == expected.shape
    assert np.array_equal(found, expected)
    assert np.array_equal(found[::2], expected[::2])


def test_rows_of_other_files_can_be_put_in_their_place(stored):
    first, second, third = stored(8), stored(5, 1), stored(3, 2)
    expected = pixels(8)
    expected[[1, 2, 6]], expected[[6, 0, 7]] = pixels(5, 1)[[4, 0, 2]], pixels(3, 2)
    changed = first.copy()
    changed[[1, 2, 6]] = second[np.array([4, 0, 2])]
    changed[[6, 0, 7]] = third
    assert np.array_equal(changed, expected)
    assert np.array_equal(changed[np.array([6, 5, 1])], expected[[6, 5, 1]])
    assert np.array_equal(first, pixels(8))


def test_files_stay_open_while_images_are_used(stored, tmp_path):
    found = stored(4)[np.array([3])]
    (tmp_path / "0.h5").unlink()
    assert np.array_equal(found, pixels(4)[[3]])


def test_single_images_are_refused(stored):
    with pytest.raises(TypeError):
        stored(4)[0]
