"""Ranked lists as pictures: queries with the gallery images closest to them, and the queries that failed worst."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vireid.data.records import Modality
from vireid.data.store import ImageReader, open_images
from vireid.reporting.picture_rows import Headings, PictureRow, Tile, draw_rows
from vireid.retrieval.evaluation import Evaluation
from vireid.retrieval.features import Features, FeatureSet
from vireid.retrieval.ranked_lists import RankedList, from_best_to_worst, ranked_lists, worst
from vireid.support.errors import UserError

_TOP = 10
_TOP_OF_WORST = 8


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
    protocol = evaluation.protocol
    lists = ranked_lists(features, evaluation, from_best_to_worst(evaluation, queries), _TOP)
    tiles = _Tiles(features, evaluation, images, [[item.query, *item.gallery] for item in lists])
    headings = Headings(
        f"{protocol.query_modality.group} query",
        f"closest {protocol.gallery_modality.group} images and their distances; queries from the best to the "
        f"worst average precision (AP)\n{protocol.name}, trial 0",
    )
    draw_rows(path, [PictureRow(tiles.query(item), tiles.hits(item)) for item in lists], headings)


def draw_worst_queries(path: Path, evaluation: Evaluation, features: Features, images: Path, queries: int) -> None:
    """Draw the worst queries, one of each identity: what came first, and where the first right one stands.

    Args:
        path: The figure.
        evaluation: Results of the protocol to show.
        features: What was evaluated.
        images: The images file that the features were extracted from.
        queries: Number of rows.

    Raises:
        UserError: As `draw_ranked_lists`.
    """
    protocol = evaluation.protocol
    lists = ranked_lists(features, evaluation, worst(features, evaluation, queries), _TOP_OF_WORST)
    tiles = _Tiles(features, evaluation, images, [[item.query, *item.gallery, item.match] for item in lists])
    headings = Headings(
        f"{protocol.query_modality.group} query",
        f"queries of the lowest average precision (AP), one of each identity, and the closest "
        f"{protocol.gallery_modality.group} images\n{protocol.name}, trial 0, {evaluation.gallery_size} gallery "
        "images",
        "closest\nright one",
    )
    draw_rows(
        path, [PictureRow(tiles.query(item), tiles.hits(item), tiles.match(item)) for item in lists], headings
    )


class _Tiles:
    """The pictures of some ranked lists, ready to be labelled.

    Args:
        features: What was evaluated.
        evaluation: Results of the protocol to show.
        images: The images file that the features were extracted from.
        rows: For each list the query's row and those of the gallery images that are shown.
    """

    def __init__(self, features: Features, evaluation: Evaluation, images: Path, rows: Sequence[Sequence[int]]):
        protocol = evaluation.protocol
        self._queries, self._gallery = (
            features.group(modality) for modality in (protocol.query_modality, protocol.gallery_modality)
        )
        with open_images(images) as reader:
            _check_source(images, reader, features)
            asked, shown = {query for query, *_ in rows}, {row for _, *hits in rows for row in hits}
            self._query_pictures = _pictures(reader, protocol.query_modality, self._queries, asked)
            self._gallery_pictures = _pictures(reader, protocol.gallery_modality, self._gallery, shown)

    def query(self, item: RankedList) -> Tile:
        precision = f"AP {100 * item.average_precision:.0f} %"
        return Tile(self._query_pictures[item.query], precision, _source(self._queries, item.query))

    def hits(self, item: RankedList) -> list[Tile]:
        return [
            Tile(
                self._gallery_pictures[row], f"{distance:.3f}", _source(self._gallery, row), correct=bool(correct)
            )
            for row, distance, correct in zip(item.gallery, item.distance, item.correct, strict=True)
        ]

    def match(self, item: RankedList) -> Tile:
        value = f"rank {item.match_rank}"
        return Tile(self._gallery_pictures[item.match], value, _source(self._gallery, item.match), correct=True)


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
    reader: ImageReader, modality: Modality, images: FeatureSet, rows: set[int]
) -> dict[int, np.ndarray]:
    """Read some pictures, row to (H, W, 3) uint8."""
    names = {row: images.name[row] for row in rows}
    pictures = reader.pictures("test", modality, list(names.values()))
    return {row: pictures[name] for row, name in names.items()}


def _source(images: FeatureSet, row: int) -> str:
    return f"id {images.pid[row]}, cam {images.camid[row]}"
