"""The course of a training as small multiples, from the tables that DVCLive writes."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from vireid.reporting.nothing_to_show import NothingToShow
from vireid.reporting.style import COLOURS, INK, figure_file
from vireid.support.errors import UserError

_TITLES = {
    "loss": "training losses",
    "loss/identity": "identity losses",
    "loss/triplet": "triplet losses",
    "lr": "learning rate",
    "holdout": "held-out training identities (%)",
    "train": "on training batches",
    "train/accuracy": "accuracy on training batches",
    "train/orthogonality": "orthogonality S(W) of layers",
    "fit": "images fitted to",
}
_MOST_COLUMNS = 3  # panels side by side
_FEW_STEPS = 30  # up to here each step gets a dot


def read_curves(folder: Path) -> dict[str, dict[str, pd.Series]]:
    """Read every metric below a DVCLive folder.

    Args:
        folder: Holds `metrics/**/*.tsv`, each with the columns `step` and the metric's own name.

    Returns:
        Panel -> curve -> values by step. Metrics of one sub-folder share a panel, others have their own. Those
        without a value yet are left out.

    Raises:
        UserError: If there are no tables, or one lacks its columns.
    """
    files = sorted((folder / "metrics").rglob("[!.]*.tsv"))
    if not files:
        raise UserError(
            folder,
            "no training curves",
            expected="metrics/**/*.tsv, as DVCLive writes them",
            found="none" if folder.is_dir() else "no such folder",
            remedy="run `dvc repro train`",
        )
    panels: dict[str, dict[str, pd.Series]] = {}
    for file in files:
        parts = file.relative_to(folder / "metrics").with_suffix("").parts
        curve = _read_curve(file)
        if len(curve):
            panels.setdefault("/".join(parts[:-1]) or parts[-1], {})[parts[-1]] = curve
    order = [name for name in _TITLES if name in panels]
    return {name: panels[name] for name in order + [name for name in panels if name not in order]}


def _read_curve(file: Path) -> pd.Series:
    try:
        table = pd.read_csv(file, sep="\t")
        return table.set_index("step")[file.stem].astype(float)
    except (KeyError, ValueError) as error:
        raise UserError(
            file,
            "not a table of one metric",
            expected=f"tab-separated numbers in the columns step and {file.stem}",
            found=error,
            remedy="run `dvc repro train`",
        ) from error


def draw_training(path: Path, folder: Path) -> None:
    """Draw all training curves: losses, learning rate, held-out retrieval, then any other metric.

    Raises:
        NothingToShow: If no metric has a value yet.
        UserError: As `read_curves`.
    """
    panels = read_curves(folder)
    if not panels:
        raise NothingToShow("no epoch of the training has been recorded")
    rows = -(-len(panels) // _MOST_COLUMNS)
    columns = -(-len(panels) // rows)
    with figure_file(path, 3.9 * columns, 3.0 * rows) as figure:
        grid = figure.subplots(rows, columns, squeeze=False).flatten()
        used, unused = grid[: len(panels)], grid[len(panels) :]
        for axes, (name, curves) in zip(used, panels.items(), strict=True):
            draw_panel(axes, name, curves)
        for axes in unused:
            axes.set_visible(False)


def draw_panel(axes: Axes, name: str, curves: dict[str, pd.Series]) -> None:
    """Draw the curves of one panel, as `read_curves` returns them."""
    axes.set_title(_TITLES.get(name, name.replace("_", " ")))
    axes.set_xlabel("epoch")  # what the loop logs as DVCLive's step
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.margins(y=0.12)
    terms = [curve for curve in curves if curve != "total"]
    # The legend lists the curves as they end, from top to bottom.
    for curve in sorted(curves, key=lambda curve: -curves[curve].iloc[-1]):
        colour = INK if curve == "total" else COLOURS[terms.index(curve) % len(COLOURS)]
        marker = "o" if len(curves[curve]) <= _FEW_STEPS else None
        axes.plot(curves[curve].index, curves[curve], color=colour, marker=marker, markersize=3, label=curve)
    if list(curves) != [name]:  # the title does not name a lone curve of a folder
        axes.legend(loc="best", fontsize=9, handlelength=1.5)
