"""Text made ready to be shown, and lines that it is broken into. CPU, milliseconds."""

import pytest

from vireid.support.text import fold


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("short", 12, ["short"]),
        ("", 12, [""]),
        ("a/b/c/d", 4, ["a/b/", "c/d"]),
        ("sysu_mm01/all_search", 12, ["sysu_mm01/", "all_search"]),
        ("all_search", 6, ["all_", "search"]),
        ("two words", 5, ["two", "words"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
    ],
)
def test_name_is_broken_at_the_best_place_that_fits(text, width, lines):
    assert fold(text, width, len) == lines


def test_character_wider_than_a_line_stands_alone():
    assert fold("abc", 1, lambda part: 2 * len(part)) == ["a", "b", "c"]
