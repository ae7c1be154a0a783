"""A paper's table beside ours: differences by hand, what is bold, what is missing; and curves. CPU, seconds."""

import math

import pandas as pd
import pytest
from matplotlib.axes import Axes

from vireid.experiments.comparison_table import (
    ComparedRow,
    ComparisonTable,
    print_comparison_table,
    write_comparison_table,
)
from vireid.experiments.curves import Diagram, draw_curves


def seeds(*values):
    return {seed: {seed: {"mAP": value}} for seed, value in enumerate(values)}


NOTHING = "\N{EN DASH}"
FULL = ComparedRow("full", {"mAP": 31.43}, seeds(30.0, 31.0, 32.0), "3")


def test_units_of_many_runs_weigh_no_more_than_others(written):
    units = {"a": {0: {"mAP": 10.0}, 1: {"mAP": 12.0}, 2: {"mAP": 14.0}}, "b": {0: {"mAP": 22.0}}}
    assert written(ComparedRow("ours", {}, units, "4"))["ours"][1] == "17.0 ± 7.1"  # of 12 and 22


@pytest.fixture
def written(tmp_path):
    """Write a table of some rows below FULL, and return its cells by row."""

    def write(*rows):
        path = tmp_path / "tables" / "table.md"
        write_comparison_table(path, ComparisonTable("Title", ["mAP"], [FULL, *rows], ["A note."]))
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Title\n\n| ")
        assert text.endswith("\n\n- A note.\n")
        lines = [line for line in text.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) == 1
        return {
            cells[0]: cells[1:] for cells in ([c.strip() for c in line.split("|")[1:-1]] for line in lines[2:])
        }

    return write


def test_clear_difference_is_bold_and_noise_is_not(written):
    cells = written(
        ComparedRow("clear", {"mAP": 28.0}, seeds(20.0, 21.1, 22.0), "3", FULL),
        ComparedRow("noise", {"mAP": 29.0}, seeds(31.0, 30.0, 33.0), "3", FULL),
    )
    assert cells["full"] == ["31.43", "31.0 ± 1.0", "3", NOTHING, NOTHING]
    assert cells["clear"] == ["28.00", "21.0 ± 1.0", "3", "-3.43", "**-10.0 ± 0.1**"]
    assert cells["noise"] == ["29.00", "31.3 ± 1.5", "3", "-2.43", "+0.3 ± 2.9"]


def test_rows_may_have_references_of_their_own(written):
    other = ComparedRow("other", {"mAP": 10.0}, seeds(1.0, 2.0, 3.0), "3")
    cells = written(other, ComparedRow("beside", {"mAP": 12.0}, seeds(2.0, 3.0, 4.0), "3", other))
    assert cells["other"][-2:] == [NOTHING, NOTHING]
    assert cells["beside"][-2:] == ["+2.00", "**+1.0 ± 0.0**"]


def test_missing_numbers_are_dashes(written):
    cells = written(
        ComparedRow("papers only", {"mAP": 27.8}, {}, "paper only", FULL),
        ComparedRow("ours only", {}, seeds(33.0), "1", FULL),
    )
    assert cells["papers only"] == ["27.80", NOTHING, "paper only", "-3.63", NOTHING]
    assert cells["ours only"] == [NOTHING, "33.0", "1", NOTHING, "+3.0"]


def test_printed_table_has_the_cells_and_no_markdown(capsys):
    row = ComparedRow("clear [x]", {"mAP": 28.0}, seeds(20.0, 21.1, 22.0), "3", FULL)
    print_comparison_table(ComparisonTable("Title", ["mAP"], [FULL, row], ["A note [of mine]."]))
    out = capsys.readouterr().out
    assert "-10.0 ± 0.1" in out
    assert "**" not in out
    assert "clear [x]" in out
    assert "A note [of mine]." in out


def test_comparison_without_a_paper_has_no_columns_of_one(tmp_path, capsys):
    full = ComparedRow("full", {}, seeds(30.0, 31.0, 32.0), "3")
    clear = ComparedRow("clear", {}, seeds(20.0, 21.1, 22.0), "3", full)
    comparison = ComparisonTable("Title", ["mAP"], [full, clear])
    write_comparison_table(tmp_path / "table.md", comparison)
    assert (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()[2:6] == [
        "|  | ours mAP | runs | ours \N{GREEK CAPITAL LETTER DELTA} mAP |",
        "| --- | ---: | ---: | ---: |",
        f"| full | 31.0 ± 1.0 | 3 | {NOTHING} |",
        "| clear | 21.0 ± 1.0 | 3 | **-10.0 ± 0.1** |",
    ]
    print_comparison_table(comparison)
    out = capsys.readouterr().out
    assert "paper" not in out
    assert "-10.0 ± 0.1" in out


def test_papers_columns_without_any_number_are_left_out(tmp_path):
    units = {0: {0: {"mINP": 20.0, "mAP": 30.0}}}
    comparison = ComparisonTable("Title", ["mINP", "mAP"], [ComparedRow("only", {"mAP": 31.4}, units, "1")])
    write_comparison_table(tmp_path / "table.md", comparison)
    heading, _, row = (tmp_path / "table.md").read_text(encoding="utf-8").splitlines()[2:5]
    assert heading == "|  | paper mAP | ours mINP | ours mAP | runs | ours \N{GREEK CAPITAL LETTER DELTA} mAP |"
    assert row == f"| only | 31.40 | 20.0 | 30.0 | 1 | {NOTHING} |"


@pytest.mark.parametrize("columns", ["200", "80", "40", None])
def test_printed_numbers_are_whole_at_every_width(capsys, monkeypatch, columns):
    monkeypatch.delenv("COLUMNS", raising=False) if columns is None else monkeypatch.setenv("COLUMNS", columns)
    units = {seed: {seed: {"rank1": 55.5 + seed, "mAP": 44.4 + seed}} for seed in range(3)}
    full = ComparedRow("B(deep) + MLFM without channel attention", {"rank1": 88.88, "mAP": 77.77}, units, "3")
    print_comparison_table(ComparisonTable("Title", ["rank1", "mAP"], [full, full]))
    out = capsys.readouterr().out
    for number in ("88.88", "77.77", "56.5 ± 1.0", "45.4 ± 1.0"):
        assert out.count(number) == 2
    assert "\N{HORIZONTAL ELLIPSIS}" not in out


@pytest.mark.parametrize("values", [[0.0, 0.0, 0.0], [99.9, 100.0, 100.0], [3.0, math.nan, 0.0], [-2.0, 1.0, 0.5]])
def test_curve_at_the_frame_is_drawn_whole(values, tmp_path, monkeypatch):
    """Its dots reach over the frame, and every value is on the axis."""
    axes = []
    plot = Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda self, *args, **options: axes.append(self) or plot(self, *args, **options)
    )
    curve = pd.Series(values, index=[1, 5, 10])
    draw_curves(tmp_path / "a.png", {"x$_$y \u4e2d": [curve]}, Diagram("Title", "rank", "%", told=0))
    low, high = axes[0].get_ylim()
    assert low <= min(0, curve.min())
    assert high > curve.max()
    assert not any(line.get_clip_on() for line in axes[0].lines)


def test_curves_over_named_places_may_lack_some(tmp_path, monkeypatch):
    axes, plot = [], Axes.plot
    monkeypatch.setattr(
        Axes, "plot", lambda self, *args, **options: axes.append(self) or plot(self, *args, **options)
    )
    curves = {"mAP": [pd.Series({0: 1.0, 1: 2.0}), pd.Series({0: 2.0, 1: 2.5, 2: 3.0})]}
    diagram = Diagram("Title", "loss.alpha", "%", told=None, places=["0.1", "1.0", "off"])
    draw_curves(tmp_path / "a.png", curves, diagram)
    ticks = [(tick.get_position()[0], tick.get_text()) for tick in axes[0].get_xticklabels()]
    assert ticks == [(0, "0.1"), (1, "1.0"), (2, "off")]
    assert [line.get_ydata().tolist() for line in axes[0].lines] == [[1.5, 2.25, 3.0]]  # the mean of what there is


def test_curves_repeat_bit_for_bit_and_hold_rows_of_any_number(tmp_path):
    curves = {f"row {n}": [pd.Series([1.0 * n, 2.0, 3.0], index=[1, 5, 10])] * 2 for n in range(12)}
    for name in ("a.png", "b.png"):
        draw_curves(tmp_path / "new" / name, curves, Diagram("Title", "rank", "%", told=0))
    assert (tmp_path / "new" / "a.png").read_bytes() == (tmp_path / "new" / "b.png").read_bytes()
    assert (tmp_path / "new" / "a.png").read_bytes().startswith(b"\x89PNG")
