"""How well held-out training identities are found, which chooses the epoch (never the test gallery)."""

import numpy as np
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize

from vireid.data.records import Modality
from vireid.data.store import ImageSet


def holdout_scores(
    embeddings: tuple[np.ndarray, np.ndarray], images: tuple[ImageSet, ImageSet]
) -> dict[str, float]:
    """Rank all visible images for every infrared one, by cosine similarity.

    A plain measure for comparing epochs of one run, not a protocol: no trials, no location rule.

    Args:
        embeddings: Visible (N, D) and infrared (M, D) float32.
        images: The images that they belong to.

    Returns:
        `holdout/mAP` and `holdout/rank1` in percent.
    """
    visible, infrared = (normalize(part) for part in embeddings)
    similarity = infrared @ visible.T
    pids = [part.pid for part in images]
    same = pids[Modality.INFRARED][:, None] == pids[Modality.VISIBLE][None, :]
    nearest = similarity.argmax(axis=1)
    rank1 = same[np.arange(len(same)), nearest].mean()
    mean_ap = label_ranking_average_precision_score(same, similarity)
    return {"holdout/mAP": 100 * float(mean_ap), "holdout/rank1": 100 * float(rank1)}
