"""Features out of arrays, for evaluating in a script or a notebook without a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from vireid.data.records import Modality
from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo, check_features
from vireid.support.errors import UserError

_NAME = "arrays"


@dataclass(frozen=True)
class Embedded:
    """Embedded images of one spectrum.

    Attributes:
        vectors: (N, D) float.
        pids: (N,) int; negative where nobody knows the person.
        camids: (N,) int, as the data set numbers its cameras.
    """

    vectors: np.ndarray
    pids: np.ndarray
    camids: np.ndarray


def features_of(dataset: str, visible: Embedded, infrared: Embedded, train_pids: Sequence[int] = ()) -> Features:
    """Make features of arrays, checked as a features file is.

    Equal distances are ranked in the arrays' order.

    Args:
        dataset: Whose protocols are for it; `manifest` for cameras of one's own.
        visible: All test images of the visible cameras.
        infrared: All test images of the infrared cameras.
        train_pids: Identities that the model was trained on; without them a leak into the test cannot be found.

    Raises:
        UserError: If lengths differ, a vector is not finite, or a test identity was trained on.
    """
    info = FeaturesInfo(
        dataset=dataset,
        trial=0,
        source_hash="unknown",
        method=_NAME,
        default=_NAME,
        model_hash="unknown",
        superresolve="unknown",
        flip=False,
        train_pids=_whole("train_pids", train_pids, "i4"),
    )
    groups = {modality: _feature_set(part) for modality, part in zip(Modality, (visible, infrared), strict=True)}
    features = Features(info, _NAME, groups[Modality.VISIBLE], groups[Modality.INFRARED])
    check_features(Path(_NAME), features)
    return features


def _feature_set(part: Embedded) -> FeatureSet:
    names = np.array([f"{row:09d}" for row in range(len(part.pids))], object)
    vectors = np.asarray(part.vectors, np.float32)
    pids, camids = _whole("pids", part.pids, "i4"), _whole("camids", part.camids, "i2")
    return FeatureSet(pids, camids, names, {_NAME: vectors})


def _whole(name: str, values: ArrayLike, dtype: str) -> np.ndarray:
    """Convert numbers to a column's type, refusing those that it cannot hold."""
    column = np.asarray(values)
    limits = np.iinfo(dtype)
    whole = column.size == 0 or (column.dtype.kind in "iuf" and bool(np.all(column == np.floor(column))))
    if not whole or (column.size and not (limits.min <= column.min() and column.max() <= limits.max)):
        raise UserError(
            _NAME,
            f"{name} are no whole numbers that fit",
            expected=f"whole numbers from {limits.min} to {limits.max}",
            found=f"{column.dtype}, from {column.min()} to {column.max()}"
            if column.dtype.kind in "iuf"
            else column,
            remedy="number them anew, in the same way everywhere",
        )
    return column.astype(dtype)
