"""Ranked lists as a picture: each query with the gallery images closest to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle

from vireid.data.records import Modality
from vireid.data.store import ImageReader, open_images
from vireid.reporting.style import FAINT, INK, figure_file
from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features, FeatureSet
from vireid.retrieval.ranked_lists import RankedList, from_best_to_worst, ranked_lists
from vireid.support.errors import UserError

_RIGHT, _WRONG = "#1a8f3c", "#d1242f"
_TICK, _CROSS = "\N{CHECK MARK}", "\N{BALLOT X}"
_TOP = 10
# Lengths in widths of one picture.
_PITCH = 1.2
_QUERY_GAP = 0.4
_LABEL = 0.75
_HEADER = 0.7
_MARGIN = 0.25
_INCHES = 0.72  # of one picture's width
_DPI = 130


def draw_ranked_lists(path: Path, evaluation: Evaluation, features: Features, images: Path, queries: int) -> None:
    """Draw the top ten of the first trial for queries from the best to the worst by average precision.

    Args:
        path: The figure.
        evaluation: Results of the protocol to show.
        features: What was evaluated.
        images: The images file that the features were extracted from.
        queries: Number of rows.

    Raises:
        UserError: If the images file cannot be read, is of another data set or lacks a picture.
    """
    positions = from_best_to_worst(evaluation, queries)
    lists = ranked_lists(features, evaluation, positions, _TOP)
    protocol = evaluation.protocol
    query_set, gallery_set = features.of(protocol.query_modality), features.of(protocol.gallery_modality)
    with open_images(images) as reader:
        _check_source(images, reader, features)
        query_pictures = _pictures(reader, protocol.query_modality, query_set, [[item.query] for item in lists])
        gallery_pictures = _pictures(
            reader, protocol.gallery_modality, gallery_set, [item.gallery for item in lists]
        )
    height, width, _ = query_pictures[0][0].shape
    aspect = height / width
    across = _PITCH * _TOP + 1 + _QUERY_GAP
    down = (aspect + _LABEL) * len(lists) + _HEADER
    size = _INCHES * (across + 2 * _MARGIN), _INCHES * down
    with figure_file(path, *size, dpi=_DPI, layout="none") as figure:
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-_MARGIN, across + _MARGIN), ylim=(down, 0))
        axes.set_axis_off()
        _draw_header(axes, evaluation)
        for row, item in enumerate(lists):
            top = _HEADER + row * (aspect + _LABEL)
            _draw_query(axes, top, aspect, query_pictures[row][0], query_set, item)
            _draw_gallery(axes, top, aspect, gallery_pictures[row], gallery_set, item)


def _check_source(path: Path, reader: ImageReader, features: Features) -> None:
    """Refuse images of another data set or trial, whose names may well be the same."""
    expected, found = ((info.source_hash, info.trial) for info in (features.info, reader.info))
    if expected != found:
        raise UserError(
            path,
            "other images than those of the features",
            expected=f"source {expected[0][:12]}, trial {expected[1]}",
            found=f"source {found[0][:12]}, trial {found[1]}",
            remedy="run `dvc repro`, so that images and features are of one data set",
        )


def _pictures(
    reader: ImageReader, modality: Modality, images: FeatureSet, rows: Sequence[Sequence[int]]
) -> list[list[np.ndarray]]:
    """Read the pictures of several lists of rows at once."""
    names = [[images.name[row] for row in group] for group in rows]
    pictures = reader.pictures("test", modality, [name for group in names for name in group])
    return [[pictures[name] for name in group] for group in names]


def _draw_header(axes: Axes, evaluation: Evaluation) -> None:
    protocol = evaluation.protocol
    style = {"va": "center", "fontsize": 8.5, "color": FAINT}
    axes.text(0.5, 0.32, f"{protocol.query_modality.group} query", ha="center", **style)
    axes.text(
        _PITCH + _QUERY_GAP,
        0.32,
        f"closest {protocol.gallery_modality.group} images and their distances; queries from the best to the "
        f"worst average precision (AP)\n{protocol.name}, trial 0",
        ha="left",
        **style,
    )


def _draw_query(
    axes: Axes, top: float, aspect: float, picture: np.ndarray, images: FeatureSet, item: RankedList
) -> None:
    _draw_picture(axes, 0, top, aspect, picture, INK)
    axes.add_patch(Rectangle((-0.06, top - 0.06), 1.12, aspect + 0.12, fill=False, edgecolor=INK, linewidth=1))
    _draw_label(axes, 0, top + aspect, f"AP {100 * item.average_precision:.0f} %", _source(images, item.query))


def _draw_gallery(
    axes: Axes,
    top: float,
    aspect: float,
    pictures: Sequence[np.ndarray],
    images: FeatureSet,
    item: RankedList,
) -> None:
    for place, picture in enumerate(pictures):
        left = (place + 1) * _PITCH + _QUERY_GAP
        colour, mark = (_RIGHT, _TICK) if item.correct[place] else (_WRONG, _CROSS)
        _draw_picture(axes, left, top, aspect, picture, colour)
        axes.add_patch(Circle((left + 0.83, top + 0.17), 0.15, facecolor=colour, edgecolor="white"))
        axes.text(left + 0.83, top + 0.18, mark, ha="center", va="center", color="white", fontsize=9)
        _draw_label(axes, left, top + aspect, f"{item.distance[place]:.3f}", _source(images, item.gallery[place]))


def _draw_picture(axes: Axes, left: float, top: float, aspect: float, picture: np.ndarray, colour: str) -> None:
    axes.imshow(
        picture, extent=(left, left + 1, top + aspect, top), interpolation="bilinear", aspect="auto", zorder=1
    )
    axes.add_patch(
        Rectangle((left, top), 1, aspect, fill=False, edgecolor=colour, linewidth=2.5, joinstyle="miter")
    )


def _draw_label(axes: Axes, left: float, top: float, value: str, source: str) -> None:
    axes.text(left + 0.5, top + 0.2, value, ha="center", va="center", fontsize=8, weight="bold")
    axes.text(left + 0.5, top + 0.42, source, ha="center", va="center", fontsize=7, color=FAINT)


def _source(images: FeatureSet, row: int) -> str:
    return f"id {images.pid[row]}, cam {images.camid[row]}"
