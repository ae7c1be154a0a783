"""What a search found, with names as users have them: the table and the sheet. CPU, seconds."""

from contextlib import contextmanager
from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from vireid.data.records import Modality
from vireid.data.sixteen_bit import FULL_RANGE
from vireid.reporting import picture_rows
from vireid.search.hits import QueryHits
from vireid.search.hits_sheet import draw_hits, print_hits

NAMES = [
    "cam[left]_001.jpg",
    "x$_$y.jpg",
    "\u4e2d\u6587/\u56fe\u7247.jpg",
    "a_very_long_folder/another/IMG_20240101_123456_burst.jpg",
    "W" * 40 + ".jpg",
    b"caf\xe9.jpg".decode(errors="surrogateescape"),
    "\U0001f600.jpg",
    "new\nline.jpg",
]


@pytest.fixture
def searched(tmp_path):
    """Pictures of such names, found for a query whose name is no UTF-8."""
    for name in NAMES:
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        Image.new("RGB", (8, 16), "grey").save(tmp_path / name)
    pids = np.array([3, -1] * 4)
    return [QueryHits(tmp_path / NAMES[5], 3, np.array(NAMES, object), pids, np.linspace(0.1, 1.5, 8, dtype="f4"))]


def test_table_shows_names_as_they_are_and_escapes_what_cannot_be_seen(searched, capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    print_hits(searched)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title.endswith(r"caf\xe9.jpg, id 3")
    shown = [line.split()[-1] for line in lines if line.strip()[:1].isdigit()]
    assert shown == [*NAMES[:5], r"caf\xe9.jpg", NAMES[6], r"new\nline.jpg"]


@pytest.mark.parametrize("columns", ["80", "30"])
def test_distances_are_whole_in_a_narrow_terminal(searched, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    print_hits(searched)
    out = capsys.readouterr().out
    assert all(out.count(f"{distance:.4f}") == 1 for distance in searched[0].distance)


@pytest.mark.filterwarnings("error")
def test_names_below_the_pictures_do_not_overlap(searched, tmp_path, monkeypatch):
    boxes = []
    sheet_file = picture_rows.sheet_file

    @contextmanager
    def measured(*args, **options):
        with sheet_file(*args, **options) as (figure, axes):
            yield figure, axes
        figure.dpi = picture_rows._DPI
        texts = [text for text in figure.axes[0].texts if text.get_fontsize() == picture_rows._SOURCE]
        boxes.extend(text.get_window_extent() for text in texts)

    monkeypatch.setattr(picture_rows, "sheet_file", measured)
    drawn = draw_hits(
        tmp_path / "sheet.png", searched, tmp_path, (32, 16), FULL_RANGE, (Modality.INFRARED, Modality.VISIBLE)
    )
    assert drawn == 1
    assert len(boxes) == 1 + len(NAMES)
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
