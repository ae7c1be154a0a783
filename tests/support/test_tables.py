"""The printed table: nothing is cut, names fold, nobody's text is markup. CPU, seconds."""

import pytest
from rich.text import Text

from vireid.support.tables import Column, column_widths, print_table

COLUMNS = [Column("protocol"), Column("rank1", number=True), Column("mAP", number=True)]
LONG = "manifest/visible_to_infrared/single_shot"


@pytest.fixture
def printed(capsys, monkeypatch):
    """Print a table into a terminal of some columns, or into a pipe without them."""

    def lines(rows, width=None, title="title", notes=(), columns=COLUMNS):
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        print_table(title, columns, rows, notes)
        return capsys.readouterr().out.splitlines()

    return lines


@pytest.mark.parametrize("width", [120, 60, 40, 30, 20, 5, None])
def test_numbers_are_whole_at_every_width(printed, width):
    text = "\n".join(printed([[LONG, "100.00", "16.67"], ["b", "7.00", "123,456"]], width))
    for number in ("100.00", "16.67", "7.00", "123,456"):
        assert text.count(number) == 1
    assert "\N{HORIZONTAL ELLIPSIS}" not in text


def test_numbers_are_whole_in_a_terminal_that_knows_nothing(printed, monkeypatch):
    """A runner of continuous integration has TERM=dumb and says it is a terminal: rich then takes 80 places."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    columns = [Column("protocol"), *(Column(f"rank{rank}", number=True) for rank in range(12))]
    text = "\n".join(printed([[LONG, *(f"{rank}.25" for rank in range(12))]], columns=columns))
    for rank in range(12):
        assert f" {rank}.25" in text


def test_name_folds_behind_its_slashes_where_the_terminal_is_narrow(printed):
    lines = printed([[LONG, "100.00", "16.67"]], 38)
    names = [line.split()[0] for line in lines[4:] if line.strip()]
    assert names == ["manifest/", "visible_to_infrared/", "single_shot"]
    assert max(map(len, lines)) <= 38


def test_pipe_has_one_line_for_each_row_whatever_its_length(printed):
    lines = printed([["x" * 300, "100.00", "16.67"]], title="t" * 200, notes=["n" * 200])
    assert lines[0] == "t" * 200
    assert any(line.split() == ["x" * 300, "100.00", "16.67"] for line in lines)
    assert lines[-1] == "n" * 200


@pytest.mark.parametrize(
    "text", ["cam[left]_001.jpg", "d [old]", "baseline [/w triplet]", "a:smile:b", "[link=http://x]y[/link]"]
)
def test_text_in_brackets_and_colons_is_printed_as_it_is(printed, text):
    lines = printed([[text, "1", "2"]], title=text, notes=[text])
    assert lines[0] == text
    assert any(line.strip().startswith(text) for line in lines[1:-1])
    assert lines[-1] == text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"caf\xe9.jpg".decode(errors="surrogateescape"), r"caf\xe9.jpg"),
        ("a\nb\t\x1b[31m", r"a\nb\t\x1b[31m"),
        ("\ufeffindex", r"\ufeffindex"),
        ("\u4e2d\u6587.jpg", "\u4e2d\u6587.jpg"),
    ],
)
def test_name_that_cannot_be_seen_is_escaped_and_others_are_not(printed, name, shown):
    assert any(line.split()[:1] == [shown] for line in printed([[name, "1", "2"]], title=name)[1:])


def test_wide_characters_keep_the_columns_in_line(printed):
    lines = printed([["\u4e2d" * 30, "11.11", "22.22"], ["b", "33.33", "44.44"]], 40)
    first, second = (next(line for line in lines if number in line) for number in ("22.22", "44.44"))
    assert len(first.encode("gbk")) == len(second.encode("gbk"))  # two bytes where two places are taken


def test_widest_name_gives_first_and_short_ones_stay():
    columns = [Column("a"), Column("b"), Column("n", number=True)]
    rows = [[Text("short"), Text("x" * 50), Text("1.00")]]
    assert column_widths(columns, rows, None) == [5, 50, 4]
    assert column_widths(columns, rows, 40) == [5, 25, 4]
    assert column_widths(columns, rows, 10) == [5, 12, 4]


def test_cell_of_ours_may_have_lines(printed):
    lines = printed([["a", Text("1.00\n-2.00"), "3.00"]])
    assert [line.split() for line in lines if "1.00" in line or "-2.00" in line] == [
        ["a", "1.00", "3.00"],
        ["-2.00"],
    ]
