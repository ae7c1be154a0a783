"""Embeddings that are all the same: their ranking is that of equal distances, and says nothing."""

import numpy as np
import torch

from vireid.data.records import Modality
from vireid.datasets.protocol import Protocol
from vireid.retrieval.distances import unit_length
from vireid.retrieval.features import Features

_ALL_BUT_EQUAL = 1e-4  # of the vectors' length; float32 itself rounds by 1e-7
_MOST_IMAGES = 2000  # of each spectrum, at even steps


def all_but_equal(vectors: np.ndarray) -> bool:
    """Tell whether no vector differs from the first by more than a ten-thousandth of the longest one.

    Args:
        vectors: (N, D) float, finite.
    """
    wide = vectors.astype(np.float64)
    apart, longest = (np.linalg.norm(part, axis=1).max(initial=0) for part in (wide - wide[:1], wide))
    return bool(apart <= _ALL_BUT_EQUAL * longest)


def collapse_warning(features: Features, protocol: Protocol) -> str:
    """Say that the images of a spectrum all have the same embedding, if so; otherwise nothing.

    Args:
        features: Embeddings of the test images.
        protocol: Says whether they are scaled to unit length.
    """
    collapsed = [modality.group for modality in Modality if _has_collapsed(features, modality, protocol)]
    if not collapsed:
        return ""
    return (
        f"the embedding has collapsed: all {' and all '.join(collapsed)} images have the same vector but for "
        f"{100 * _ALL_BUT_EQUAL:g} % of its length, so these numbers say nothing"
    )


def _has_collapsed(features: Features, modality: Modality, protocol: Protocol) -> bool:
    rows = np.flatnonzero(features.group(modality).identified)
    if len(rows) < 2:
        return False
    rows = rows[np.linspace(0, len(rows) - 1, min(_MOST_IMAGES, len(rows))).astype(int)]
    vectors = features.vectors(modality, rows)
    return all_but_equal(
        unit_length(torch.from_numpy(vectors).double()).numpy() if protocol.normalise else vectors
    )
