"""How well held-out training identities are found, which chooses the epoch (never the test gallery)."""

import numpy as np
import torch
from sklearn.metrics import label_ranking_average_precision_score
from sklearn.preprocessing import normalize

from vireid.data.records import Modality
from vireid.data.store import ImageSet
from vireid.methods.base import Embedder
from vireid.training.divergence import diverged
from vireid.training.embedding import concatenate, embed_images


def score_holdout(
    method: Embedder, images: tuple[ImageSet, ImageSet], batch_size: int, device: torch.device, where: str
) -> dict[str, float]:
    """Embed held-out images with a model in eval mode, by what it ranks, and score them by `holdout_scores`.

    Args:
        method: Set up on the device.
        images: Visible and infrared.
        batch_size: Images at a time.
        device: Where the method lies.
        where: What has just been trained, for the message.

    Raises:
        UserError: If an embedding is not finite.
    """
    ranked = next(iter(method.embedding_dims))
    visible, infrared = (
        concatenate(embed_images(method, part, modality, batch_size, device, flip=False))[ranked]
        for part, modality in zip(images, Modality, strict=True)
    )
    if not (np.isfinite(visible).all() and np.isfinite(infrared).all()):
        raise diverged(where, "embeddings of held-out identities", "NaN or infinity")
    return holdout_scores((visible, infrared), images)


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
    visible, infrared = (normalize(part.astype(np.float64)) for part in embeddings)
    # Rounded, so that errors of the product, which vary with the processor, order no two images.
    similarity = (infrared @ visible.T).astype(np.float32)
    pids = [part.pid for part in images]
    same = pids[Modality.INFRARED][:, None] == pids[Modality.VISIBLE][None, :]
    nearest = similarity.argmax(axis=1)
    rank1 = same[np.arange(len(same)), nearest].mean()
    mean_ap = label_ranking_average_precision_score(same, similarity)
    return {"holdout/mAP": 100 * float(mean_ap), "holdout/rank1": 100 * float(rank1)}
