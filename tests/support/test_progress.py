"""The progress bar: what it shows is no markup. CPU, milliseconds."""

import io

from rich.console import Console

from vireid.support import progress as bars


def test_names_beside_the_bar_are_no_markup(monkeypatch):
    shown = io.StringIO()
    monkeypatch.setattr(bars, "console", Console(file=shown, width=200, force_terminal=True))
    with bars.progress("pack d [old]", 2, "images") as bar:
        bar.advance(note="cam[left]_001.jpg [/w]")
    assert "pack d [old]" in shown.getvalue()
    assert "cam[left]_001.jpg [/w]" in shown.getvalue()
