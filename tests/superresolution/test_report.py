"""The picture of SRCNN's work: every panel where it should be. CPU, seconds."""

import numpy as np
import pytest
import torch
from PIL import Image

from vireid.superresolution.report import COLUMNS, draw_comparison, write_report
from vireid.superresolution.srcnn import SRCNN

CPU = torch.device("cpu")


@pytest.fixture
def network():
    torch.manual_seed(0)
    return SRCNN(True, 0.0).eval()


@pytest.mark.parametrize(("count", "rows"), [(1, 1), (3, 3), (9, 3)])
def test_picture_has_a_row_for_up_to_three_images_and_a_column_for_each_kind(network, count, rows):
    images = np.full((count, 64, 32, 3), 90, np.uint8)
    picture = draw_comparison(network, images, CPU)
    zoom = 5  # 64 pixels to at least 300
    assert picture.width == 12 + 4 * (32 * zoom + 12)
    assert picture.height == 24 + 12 + rows * (64 * zoom + 24 + 12)


def test_originals_stand_in_the_last_column_in_order(network):
    images = np.stack([np.full((64, 32, 3), value, np.uint8) for value in (20, 120, 220)])
    pixels = np.asarray(draw_comparison(network, images, CPU))
    left = 12 + 3 * (32 * 5 + 12)
    for row, value in enumerate((20, 120, 220)):
        top = 36 + row * (64 * 5 + 36)
        assert (pixels[top : top + 320, left : left + 160] == value).all()
        assert (pixels[top : top + 320, 12 : 12 + 160] == value).all()  # a plain image is plain when reduced


def test_same_images_give_the_same_bytes(network, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), np.uint8)
    for name in ("a", "b"):
        write_report(tmp_path / name, [(1, 0.5, 20.0, 19.0)], draw_comparison(network, images, CPU))
    for name in ("training.csv", "comparison.png"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    with Image.open(tmp_path / "a" / "comparison.png") as picture:
        assert picture.mode == "RGB"
    assert (tmp_path / "a" / "training.csv").read_text() == ",".join(COLUMNS) + "\n1,0.5,20,19\n"
