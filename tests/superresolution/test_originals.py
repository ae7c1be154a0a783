"""Which originals have the detail that SRCNN is to draw, and their pixels. CPU, seconds."""

import numpy as np
import pytest
from PIL import Image

from vireid.data.sixteen_bit import FULL_RANGE, Scaling
from vireid.superresolution.originals import Originals, choose_originals
from vireid.support.errors import UserError


@pytest.fixture
def files(tmp_path):
    """Originals of some sizes; the last one lies on its side in its file."""
    sizes = {"large.png": (80, 40), "exact.jpg": (64, 32), "low.png": (63, 32), "narrow.png": (64, 31)}
    for name, (height, width) in sizes.items():
        Image.new("RGB", (width, height)).save(tmp_path / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (64, 32)).save(tmp_path / "turned.jpg", exif=exif)
    return Originals(tmp_path, [*sizes, "turned.jpg"], FULL_RANGE)


def test_original_has_the_detail_if_both_its_sides_reach_the_target(files):
    assert files.at_least(64, 32).tolist() == [True, True, False, False, True]


@pytest.mark.parametrize("name", ["bad.png", "gone.png"])
def test_original_that_is_gone_or_broken_is_named(tmp_path, name):
    (tmp_path / "bad.png").write_bytes(b"x")
    originals = Originals(tmp_path, [name], FULL_RANGE)
    for read in (originals.at_least, originals.load):
        with pytest.raises(UserError, match="cannot be read") as error:
            read(12, 8)
        assert error.value.where == tmp_path / name


def test_originals_are_decoded_in_order_at_a_size_of_their_own(tmp_path):
    for value in (10, 90, 200):
        Image.new("L", (9, 7), value).save(tmp_path / f"{value}.png")
    originals = Originals(tmp_path, ["200.png", "10.png", "90.png"], FULL_RANGE)
    assert originals.load(12, 8).shape == (3, 12, 8, 3)
    assert [image.mean() for image in originals.load(12, 8)] == [200, 10, 90]
    assert [image.mean() for image in originals.load(12, 8, np.array([True, False, True]))] == [200, 90]


def test_originals_of_16_bits_are_read_as_ingest_read_them(tmp_path):
    Image.fromarray(np.full((12, 8), 7500, np.uint16)).save(tmp_path / "a.png")
    assert Originals(tmp_path, ["a.png"], Scaling("window", 7400.0, 7655.0)).load(12, 8).mean() == 100


def choice(detailed, batch_size=2):
    """Six images, of which the last three are held out."""
    return choose_originals(np.array(detailed, bool), np.array([0, 0, 0, 1, 1, 1], bool), batch_size)


def rows(mask):
    return np.flatnonzero(mask).tolist()


def test_images_with_the_detail_are_fitted_and_scored_and_the_others_scored_apart():
    chosen = choice([1, 1, 0, 1, 0, 0])
    assert (rows(chosen.fitted), rows(chosen.scored), rows(chosen.enlarged)) == ([0, 1], [3], [4, 5])
    assert chosen.report() == {
        "training": {"detailed": 2, "enlarged": 1, "fitted": 2},
        "heldout": {"detailed": 1, "enlarged": 2, "scored": 1},
    }
    warning = chosen.warning(64, 32)
    assert "3 of 6 originals are smaller than 64 x 32 pixels" in warning
    assert "PSNR and SSIM are of the others; SRCNN learns only from the others" in warning


def test_all_images_are_fitted_where_those_with_the_detail_fill_no_batch():
    chosen = choice([1, 1, 0, 1, 1, 1], batch_size=3)
    assert rows(chosen.fitted) == [0, 1, 2]
    assert "SRCNN learns from them too" in chosen.warning(64, 32)


def test_all_images_are_scored_where_none_has_the_detail_and_the_warning_says_so():
    chosen = choice([0] * 6)
    assert (rows(chosen.fitted), rows(chosen.scored), rows(chosen.enlarged)) == ([0, 1, 2], [3, 4, 5], [])
    assert "6 of 6" in chosen.warning(64, 32)
    assert "PSNR and SSIM are of enlarged images, and flattering" in chosen.warning(64, 32)


def test_nothing_is_warned_of_where_all_have_the_detail():
    chosen = choice([1] * 6)
    assert (rows(chosen.fitted), rows(chosen.scored), rows(chosen.enlarged)) == ([0, 1, 2], [3, 4, 5], [])
    assert chosen.warning(64, 32) == ""
