"""The figure of all rows from the best on: what stands where. CPU, seconds."""

import pytest
from matplotlib.axes import Axes

from vireid.experiments.comparison_table import ComparedRow, ComparisonTable
from vireid.experiments.ranked_rows import draw_ranked_rows


def units(*values):
    return {seed: {seed: {"mAP": value}} for seed, value in enumerate(values)}


@pytest.fixture
def panels(tmp_path, monkeypatch):
    """Draw rows, and return the axes that were drawn on."""

    def draw(*rows):
        axes = {}
        plot = Axes.plot
        monkeypatch.setattr(Axes, "plot", lambda self, *a, **k: axes.setdefault(self, plot(self, *a, **k)))
        draw_ranked_rows(tmp_path / "rows.png", ComparisonTable("Title", ["mAP"], rows), "ours", "SYSU-MM01")
        assert (tmp_path / "rows.png").stat().st_size > 0
        return list(axes)

    return draw


def points(axes, marker):
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines if line.get_marker() == marker]


def test_best_row_stands_highest_with_a_dot_for_each_run(panels):
    ours, papers = panels(
        ComparedRow("worse", {"mAP": 56.0}, units(20.0, 22.0), "2"),
        ComparedRow("not run", {"mAP": 99.0}, {}, "not run"),
        ComparedRow("best", {}, units(30.0, 40.0), "2"),
        ComparedRow("worst", {"mAP": 5.0}, units(10.0), "1"),
    )
    assert [label.get_text() for label in ours.get_yticklabels()] == ["worst", "worse", "best"]
    assert points(ours, "o") == [([10.0], [0]), ([20.0, 22.0], [1, 1]), ([30.0, 40.0], [2, 2])]
    means = [line.get_xdata()[0] for line in ours.lines if line.get_marker() == "None"]
    assert means == [10.0, 21.0, 35.0]
    assert points(papers, "D") == [([5.0], [0]), ([56.0], [1])]
    assert papers.get_xlabel() == "mAP (%), SYSU-MM01"


def test_comparison_of_no_paper_has_one_panel(panels):
    assert len(panels(ComparedRow("a", {}, units(20.0), "1"))) == 1
