"""Distances of image pairs, by whether they show the same identity and in which spectra they were taken."""

from dataclasses import dataclass

import numpy as np
import torch

from vireid.data.records import Modality
from vireid.datasets.protocol import Protocol
from vireid.retrieval.distances import DISTANCES, unit_length
from vireid.retrieval.features import Features


@dataclass(frozen=True)
class Pairs:
    """The distances between images of two modalities, or within one.

    Attributes:
        modalities: Those of the two images.
        same: (S,) float32, distances of pairs of one identity.
        different: (M,) float32, distances of pairs of two identities.
    """

    modalities: tuple[Modality, Modality]
    same: np.ndarray
    different: np.ndarray

    @property
    def separation(self) -> float:
        """Probability that a pair of one identity is closer than one of two; ties count half, 0.5 is chance."""
        different = np.sort(self.different)
        farther = len(different) - np.searchsorted(different, self.same, side="right")
        equal = np.searchsorted(different, self.same, side="right") - np.searchsorted(different, self.same)
        return float((farther + equal / 2).mean() / len(different))


def pairs_of(features: Features, protocol: Protocol, most: int) -> list[Pairs]:
    """Compare images within each modality and across them, each pair once.

    Args:
        features: Embeddings of the test images.
        protocol: Says whether embeddings are scaled to unit length, and which distance is meant. Its cameras and
            the images it ignores play no part.
        most: Images of each modality to take at most, at even steps by identity, camera and name.

    Returns:
        Within the visible, within the infrared, across; without kinds that lack pairs of one sort or the other.
        Images with a negative pid are in no pair.
    """
    vectors, pids = {}, {}
    for modality in Modality:
        images = features.group(modality)
        order = np.lexsort([images.name.astype(str), images.camid, images.pid])
        order = order[images.identified[order]]
        rows = order[np.linspace(0, len(order) - 1, min(most, len(order))).astype(int)]
        embeddings = torch.from_numpy(features.vectors(modality, rows)).double()
        vectors[modality] = unit_length(embeddings) if protocol.normalise else embeddings
        pids[modality] = images.pid[rows]
    kinds_of_pairs = []
    for first, second in ((0, 0), (1, 1), (0, 1)):
        kinds = Modality(first), Modality(second)
        distmat = DISTANCES[protocol.distance](*(vectors[kind] for kind in kinds)).numpy()
        match = pids[kinds[0]][:, None] == pids[kinds[1]]
        once = np.triu(np.ones_like(match), k=1) if first == second else np.ones_like(match)
        same, different = distmat[match & once], distmat[~match & once]
        if len(same) and len(different):
            kinds_of_pairs.append(Pairs(kinds, same, different))
    return kinds_of_pairs
