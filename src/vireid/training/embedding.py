"""Embed images with a method, in eval mode."""

from collections.abc import Iterator

import numpy as np
import torch

from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.data.store import ImageSet
from vireid.methods.base import Method


@torch.inference_mode()
def embed_images(
    method: Method, images: ImageSet, modality: Modality, batch_size: int, device: torch.device
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the embeddings of one batch after the other, name to (B, D) float32.

    Args:
        method: In eval mode, on `device`; set up by Fabric, so that its precision applies.
        images: All of one modality.
        modality: Which.
        batch_size: B.
        device: Where the method lies.
    """
    for start in range(0, len(images), batch_size):
        pixels = normalise(torch.from_numpy(np.asarray(images.image[start : start + batch_size])).to(device))
        modalities = torch.full((len(pixels),), int(modality), device=device)
        embeddings = method.embed(pixels, modalities)
        yield {name: values.float().cpu().numpy() for name, values in embeddings.items()}


def concatenate(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the batches: name to (N, D) float32."""
    collected = list(parts)
    return {name: np.concatenate([part[name] for part in collected]) for name in collected[0]}
