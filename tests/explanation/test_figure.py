"""The figure: colour only where the map is, infrared in grey, a row for each pair. CPU, seconds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vireid.data.records import Modality
from vireid.explanation.figure import ModelExplained, draw_explanations, grey, overlay
from vireid.explanation.grad_cam import Explanation
from vireid.explanation.subjects import Subject, pair_up

RED = np.broadcast_to(np.array([220, 30, 30], np.uint8), (32, 16, 3))
HOT = np.array([[0, 1], [0, 0], [0, 0], [0, 0]], np.float32)


def explanation(of, heat=HOT, alone=False, seen=False):
    return Explanation(Subject(RED, of, f"{of.group}.jpg", "", seen), 0.5, alone, [heat])


def colours(pixels):
    """How far each pixel is from grey."""
    return np.ptp(pixels.astype(int), axis=-1)


def explained(rows, layers=None, folder="artifacts/model"):
    return ModelExplained(Path(folder), "baseline's embedding neck", rows, layers or {"stage4": "shared"})


def drawn(path, *models):
    draw_explanations(path, models, "a note")
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_overlay_has_colour_only_where_the_map_is():
    heat = np.zeros((32, 16))
    heat[:8, 8:] = 3
    mixed = overlay(RED, heat)
    assert mixed.shape == RED.shape
    assert colours(mixed)[:8, 8:].min() > 40
    assert colours(mixed)[8:].max() < 3
    np.testing.assert_array_equal(mixed, overlay(RED, heat * 1e-6))  # scaled to its own largest value


def test_map_of_zeros_leaves_the_grey_picture():
    np.testing.assert_array_equal(overlay(RED, np.zeros((32, 16))), grey(RED))
    assert colours(grey(RED)).max() == 0


def test_grey_is_the_luminance_that_pillow_has():
    image = np.random.default_rng(0).integers(0, 256, (9, 5, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).convert("L")).astype(int)
    assert np.abs(grey(image)[..., 0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("of", "red"), [(Modality.VISIBLE, True), (Modality.INFRARED, False)])
def test_infrared_picture_is_grey_and_visible_one_is_not(tmp_path, of, red):
    row = {of: explanation(of, np.zeros((4, 2), np.float32), alone=True)}
    pixels = drawn(tmp_path / "one.png", explained([row]))
    pixels = pixels[: len(pixels) * 3 // 4]  # without the colours' scale
    assert (colours(pixels) > 150).any() == red


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["a$_$b.jpg", b"\xff.jpg".decode(errors="surrogateescape"), "\u4e2d\u6587.jpg"])
def test_any_file_name_is_written_as_it_is(tmp_path, name):
    subject = Subject(RED, Modality.VISIBLE, name)
    row = {Modality.VISIBLE: Explanation(subject, 1, True, [HOT])}
    drawn(tmp_path / "odd.png", explained([row]), explained([row], folder=name))


def test_each_pair_adds_a_row_and_each_layer_a_column(tmp_path):
    def size(pairs, layers):
        names = {f"stage{number}": "shared" for number in range(layers)}
        row = {of: Explanation(Subject(RED, of, ""), 0.5, False, [HOT] * layers) for of in Modality}
        return np.array(drawn(tmp_path / "figure.png", explained([row] * pairs, names)).shape[:2])

    (high, wide), (higher, as_wide), (as_high, wider) = size(1, 3), size(2, 3), size(1, 4)
    assert as_wide == wide
    assert as_high == high
    assert higher > 1.5 * high
    assert wider > 1.15 * wide


def test_maps_of_another_model_stand_beside_those_of_the_first(tmp_path):
    row = {of: explanation(of) for of in Modality}
    cold = {of: explanation(of, np.ascontiguousarray(HOT[::-1, ::-1])) for of in Modality}
    twice = {of: Explanation(item.subject, 0.5, False, [HOT, HOT]) for of, item in row.items()}
    alone = drawn(tmp_path / "one.png", explained([twice], {"stage3": "shared", "stage4": "shared"}))
    both = drawn(tmp_path / "two.png", explained([row]), explained([cold], folder="other"))
    assert both.shape[1] == alone.shape[1]  # one picture and two maps
    assert both.shape[0] > alone.shape[0]  # the models' names
    same = drawn(tmp_path / "same.png", explained([row]), explained([row], folder="other"))
    changed = np.flatnonzero((both != same).any(axis=(0, 2)))
    assert changed.min() > both.shape[1] // 2


def test_figure_repeats_to_the_byte(tmp_path):
    for name in ("first.png", "again.png"):
        drawn(tmp_path / name, explained([{of: explanation(of, seen=True) for of in Modality}]))
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "again.png").read_bytes()


def test_pictures_are_paired_in_order_and_what_is_left_over_stands_alone():
    names = {Modality.VISIBLE: ["a", "b", "c"], Modality.INFRARED: ["x"]}
    subjects = [Subject(RED, of, name) for of in reversed(Modality) for name in names[of]]
    rows = [[subject.name for subject in pair.values()] for pair in pair_up(subjects)]
    assert rows == [["a", "x"], ["b"], ["c"]]
