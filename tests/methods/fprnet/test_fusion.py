"""Random fusion: the paper's arrangements by hand, and what is no arrangement. CPU, seconds."""

import pytest
import torch

from vireid.methods.fprnet.fusion import Fusion, fuse, hybrid_type
from vireid.params import check_section
from vireid.support.errors import UserError

# Two visible images in rows 0 and 1 of the batch, two infrared ones in rows 2 and 3; vectors of one number.
VECTORS = [
    {level: torch.tensor([[10.0 * level], [10.0 * level + 1]]) for level in (2, 3, 4, 5)},
    {level: torch.tensor([[100.0 * level], [100.0 * level + 1]]) for level in (2, 3, 4, 5)},
]


def made(mode, features, **others):
    return check_section(Fusion, {"mode": mode, "features": features} | others, "fusion", "correct it")


def fused(mode, features, **others):
    values, rows = fuse(VECTORS, made(mode, features, **others).columns, visible=2)
    return values.tolist(), rows.tolist()


def test_horizontal_puts_vectors_after_one_another_on_the_batch_axis():
    assert fused("horizontal", ["r5", "i2"]) == ([[50], [51], [200], [201]], [0, 1, 2, 3])


def test_vertical_puts_them_after_one_another_on_the_channel_axis():
    values, rows = fused("vertical", ["r5", "i2", "r5"])
    assert values == [[50, 200, 50], [51, 201, 51]]
    assert rows == [0, 1]


def test_fused_vector_comes_from_the_image_of_its_topmost_vector():
    assert fused("vertical", ["i2", "r5"]) == ([[200, 50], [201, 51]], [2, 3])


def test_hybrid_stacks_each_column_and_puts_the_columns_after_one_another():
    values, rows = fused("hybrid", [["r5", "r2"], ["i2", "i5"]], type=1)
    assert values == [[50, 200], [51, 201], [20, 500], [21, 501]]
    assert rows == [0, 1, 0, 1]


def test_hybrid_of_one_modality():
    values, rows = fused("hybrid", [["i4", "i4"], ["i3", "i3"]], type=2)
    assert values == [[400, 300], [401, 301]] * 2
    assert rows == [2, 3] * 2


@pytest.mark.parametrize(
    ("visible", "infrared", "mixed", "infrared_rows"), [(2, 1, [0], [2]), (1, 2, [0], [1, 2]), (2, 0, [], [])]
)
def test_images_without_a_partner_are_left_out_of_mixed_columns_only(visible, infrared, mixed, infrared_rows):
    counts = (visible, infrared)
    vectors = [
        {level: part[:count] for level, part in levels.items()}
        for levels, count in zip(VECTORS, counts, strict=True)
    ]

    def rows(*features):
        return fuse(vectors, made("vertical", list(features)).columns, visible)[1].tolist()

    assert rows("r5", "i2") == mixed
    assert rows("r5", "r2") == [*range(visible)]
    assert rows("i5", "i2") == infrared_rows


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ([["r5", "r2"], ["r2", "r5"]], 1),
        ([["r5", "r2"], ["r5", "r2"]], 3),
        ([["i4", "i3"], ["i3", "i4"]], 1),
        ([["i4", "i4"], ["i3", "i3"]], 2),
        ([["r5", "r2"], ["i2", "i5"]], 1),
        ([["r5", "r2"], ["i5", "i2"]], 3),
        ([["r4", "r3"], ["i3", "i4"]], 1),
        ([["r4", "i4"], ["r3", "i3"]], 2),
        ([["r5", "r4"], ["i5", "i4"]], 3),  # the example of the paper's text
        ([["r5", "i5"], ["i5", "r5"]], None),
        ([["r5", "i5"], ["r4", "r3"]], None),
    ],
)
def test_types_are_those_of_table_4(features, expected):
    assert hybrid_type(features) == expected
    if expected:
        assert made("hybrid", features, type=expected).type == expected


@pytest.mark.parametrize(
    ("values", "key", "expected"),
    [
        ({"mode": "diagonal", "features": ["r5"]}, "mode", "'horizontal', 'vertical' or 'hybrid'"),
        ({"mode": "horizontal", "features": []}, "features", "at least 1"),
        ({"mode": "horizontal", "features": ["r5", "r6"]}, "features.1", "[ri][2-5]"),
        ({"mode": "hybrid", "features": [["r5", "r2"], ["x", "r5"]], "type": 1}, "features.1", "[ri][2-5]"),
        ({"mode": "horizontal", "features": [["r5", "r2"]]}, "features", "plain list"),
        ({"mode": "vertical", "features": ["r5", ["r2"]]}, "features", "plain list"),
        ({"mode": "hybrid", "features": ["r5", "r2"], "type": 1}, "features", "matrix"),
        ({"mode": "hybrid", "features": [["r5", "r2"], ["r2"]], "type": 1}, "features", "all as long"),
        ({"mode": "hybrid", "features": [["r5", "r2"]], "type": 1}, "features", "two or more rows"),
        ({"mode": "hybrid", "features": [["r5"], ["r2"]], "type": 1}, "features", "two or more vectors"),
        ({"mode": "hybrid", "features": [["r5", "r2"], ["r2", "r5"]], "type": 3}, "type", "1, the type"),
        ({"mode": "hybrid", "features": [["r5", "r2"], ["r2", "r5"]]}, "type", "1, the type"),
        ({"mode": "hybrid", "features": [["r5", "i5"], ["i5", "r5"]], "type": 1}, "type", "none"),
        ({"mode": "hybrid", "features": [["r5", "r2"], ["r2", "r5"]], "type": 4}, "type", "1, 2 or 3"),
        ({"mode": "horizontal", "features": ["r5"], "type": 1}, "type", "only hybrid"),
    ],
)
def test_what_is_no_arrangement_is_refused_with_what_is_allowed(values, key, expected):
    with pytest.raises(UserError) as error:
        check_section(Fusion, values, "model.fusion", "correct it")
    assert key in error.value.problem.split(": ")[1].split(", ")[0]
    assert expected in error.value.expected


@pytest.mark.parametrize(
    "others", [{"features": [["r5", "r2"], ["r2", "r5"]], "type": 1}, {"features": ["r5", "i5"]}]
)
def test_mistyped_mode_is_the_only_thing_named(others):
    with pytest.raises(UserError) as error:
        check_section(Fusion, {"mode": "hibrid"} | others, "model.fusion", "correct it")
    assert error.value.problem == "wrong parameter: mode"
