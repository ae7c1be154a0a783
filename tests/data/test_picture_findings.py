"""Pictures in which little can be seen, and how large pictures are. CPU, seconds."""

import numpy as np
import pytest
from PIL import Image

from tests.made import draw_image
from vireid.data.looks import Flaw, Look, find_flaw
from vireid.data.picture_findings import picture_findings, size_percentiles
from vireid.data.records import ImageRecord, Modality

NOISE = np.random.default_rng(0)


def picture(levels, size=(96, 48)):
    values = NOISE.choice(np.asarray(levels, np.uint8), size)
    return Image.fromarray(np.repeat(values[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("image", "flaw"),
    [
        (picture(range(16)), Flaw.BLACK),
        (picture([0]), Flaw.BLACK),
        (picture([0], (3000, 2000)), Flaw.BLACK),
        (picture([128]), Flaw.FLAT),
        (picture([255]), Flaw.FLAT),
        (picture(range(29, 34)), Flaw.FEW_LEVELS),
        (picture([0, 255]), Flaw.FEW_LEVELS),
        (picture(range(0, 240, 16)), Flaw.FEW_LEVELS),
        (picture(range(0, 256, 16)), None),
        (picture(range(40, 60)), None),
        (draw_image(1, "visible", NOISE), None),
        (draw_image(2, "infrared", NOISE), None),
    ],
)
def test_picture_that_shows_little_is_told_from_one_that_shows_something(image, flaw):
    assert find_flaw(image) is flaw


def test_few_bright_pixels_do_not_hide_that_a_picture_is_black():
    pixels = np.zeros((96, 48, 3), np.uint8)
    pixels[0, 0] = 255
    assert find_flaw(Image.fromarray(pixels)) is Flaw.BLACK


def seen(*looks, modality=Modality.INFRARED):
    records = [ImageRecord(f"{modality.group}{n}.png", 1, 1, modality, "test") for n in range(len(looks))]
    return records, list(looks)


def test_each_kind_is_one_sentence_with_its_count_the_first_name_and_what_to_do():
    fine = Look(128, 64)
    looks = [fine, Look(36, 15), Look(128, 64, Flaw.BLACK), Look(128, 64, Flaw.FEW_LEVELS), Look(90, 200), fine]
    looks += [Look(100, 50, Flaw.FLAT), Look(110, 55, Flaw.FEW_LEVELS)]
    sentences = picture_findings(*seen(*looks), shape=2.0)
    assert [sentence.split(": ")[0] for sentence in sentences] == [
        "infrared images below 40 x 20 pixels (height x width)",
        "infrared images of a shape far from the packed one, which is 2 times as high as wide",
        "infrared images nearly black",
        "infrared images of one grey all over",
        "infrared images of fewer than 16 grey levels",
    ]
    assert "1 of 8; the first is infrared1.png, 36 x 15 (" in sentences[0]
    assert "1 of 8; the first is infrared4.png, 90 x 200 (" in sentences[1]
    assert "2 of 8; the first is infrared3.png, 128 x 64 (" in sentences[4]
    assert "dataset.sixteen_bit.scaling" in sentences[4]


def test_spectra_are_told_apart():
    records, looks = seen(Look(128, 64, Flaw.BLACK))
    more, sound = seen(Look(128, 64), modality=Modality.VISIBLE)
    sentences = picture_findings(records + more, looks + sound, 2.0)
    assert [sentence[:30] for sentence in sentences] == ["infrared images nearly black: "]


@pytest.mark.parametrize(("look", "far"), [(Look(90, 90), False), (Look(89, 90), True), (Look(200, 49), True)])
def test_shape_is_far_where_it_is_stretched_more_than_twice(look, far):
    assert bool(picture_findings(*seen(look), shape=2.0)) is far
    assert picture_findings(*seen(look), shape=look.height / look.width) == []


def test_sizes_are_percentiles_of_each_spectrum():
    infrared = seen(*(Look(100 + n, 50 - n) for n in range(21)))
    visible = seen(Look(7, 5), modality=Modality.VISIBLE)
    sizes = size_percentiles(*(a + b for a, b in zip(infrared, visible, strict=True)))
    assert sizes == {
        "visible": {"height": {"5": 7, "50": 7, "95": 7}, "width": {"5": 5, "50": 5, "95": 5}},
        "infrared": {"height": {"5": 101, "50": 110, "95": 119}, "width": {"5": 31, "50": 40, "95": 49}},
    }
    assert size_percentiles([], []) == {}
