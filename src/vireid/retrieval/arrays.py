"""Features out of arrays, for evaluating in a script or a notebook without a file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vireid.data.records import Modality
from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo, check_features

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
        train_pids=np.array(train_pids, np.int32),
    )
    groups = {modality: _feature_set(part) for modality, part in zip(Modality, (visible, infrared), strict=True)}
    features = Features(info, _NAME, groups[Modality.VISIBLE], groups[Modality.INFRARED])
    check_features(Path(_NAME), features)
    return features


def _feature_set(part: Embedded) -> FeatureSet:
    names = np.array([f"{row:09d}" for row in range(len(part.pids))], object)
    vectors = np.asarray(part.vectors, np.float32)
    return FeatureSet(np.asarray(part.pids, np.int32), np.asarray(part.camids, np.int16), names, {_NAME: vectors})
