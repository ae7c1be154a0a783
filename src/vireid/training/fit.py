"""Training in closed form: one fit to training images instead of epochs and steps."""

import numpy as np
from lightning_fabric import Fabric

from vireid.data.records import Modality
from vireid.methods.base import Fitted
from vireid.support.progress import console
from vireid.training.data import TrainingImages
from vireid.training.embedding import set_up
from vireid.training.holdout import score_holdout
from vireid.training.loop import Best
from vireid.training.model_folder import cpu_state


def fit(method: Fitted, images: TrainingImages, batch_size: int, fabric: Fabric) -> Best:
    """Fit a method to the training images, and score it on the identities that are held out, if any are.

    Args:
        method: Built, on the CPU.
        images: All of them are read into memory.
        batch_size: Held-out images that are embedded at a time.
        fabric: Device and precision of these embeddings.
    """
    pixels = {modality: np.asarray(images.fitted[modality].image[:]) for modality in Modality}
    with console.status(f"fit {type(method).__name__}"):
        method.fit(pixels, {modality: images.labels[modality] for modality in Modality})
    scores = {}
    if len(images.holdout[Modality.VISIBLE]):
        scores = score_holdout(set_up(method, fabric), images.holdout, batch_size, fabric.device, "the fit")
    return Best(0, scores, cpu_state(method))
