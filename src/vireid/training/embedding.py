"""Embed images with a model, in eval mode."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor

from vireid.data.augmentation import normalise
from vireid.data.records import Modality
from vireid.data.store import ImageSet
from vireid.methods.base import Embedder


def set_up(method: Embedder, fabric: Fabric) -> Embedder:
    """Bring a model to a device in eval mode, so that `embed` computes there in the arithmetic of the run."""
    module = fabric.setup_module(method.eval())
    module.mark_forward_method("embed")
    return cast(Embedder, module)  # Fabric's wrapper has all that the model has


def embed_images(
    method: Embedder, images: ImageSet, modality: Modality, batch_size: int, device: torch.device, flip: bool
) -> Iterator[dict[str, np.ndarray]]:
    """Yield the embeddings of one batch after the other, as `embed_batch` makes them, B at a time."""
    for start in range(0, len(images), batch_size):
        batch = np.asarray(images.image[start : start + batch_size])
        yield embed_batch(method, batch, modality, device, flip)


@torch.inference_mode()
def embed_batch(
    method: Embedder, images: np.ndarray, modality: Modality, device: torch.device, flip: bool
) -> dict[str, np.ndarray]:
    """Embed one batch.

    Args:
        method: In eval mode, on `device`; set up by Fabric, so that its precision applies.
        images: (B, H, W, 3) uint8 RGB, all of one modality.
        modality: Which.
        device: Where the method lies.
        flip: Whether to take the mean of the embeddings of each image and of its mirror image.

    Returns:
        Name to (B, D) float32.
    """
    embeddings = embed_pixels(method, torch.from_numpy(images).to(device), modality, flip)
    return {name: values.cpu().numpy() for name, values in embeddings.items()}


def embed_pixels(method: Embedder, pixels: Tensor, modality: Modality, flip: bool) -> dict[str, Tensor]:
    """Embed images that are on the device already; (B, H, W, 3) uint8 RGB to name and (B, D) float32.

    Args:
        method: As for `embed_batch`.
        pixels: The images.
        modality: As for `embed_batch`.
        flip: As for `embed_batch`.
    """
    images = normalise(pixels)
    embeddings = {name: values.float() for name, values in method.embed(images, modality).items()}
    if flip:
        mirrored = method.embed(images.flip(3), modality)
        embeddings = {name: (values + mirrored[name].float()) / 2 for name, values in embeddings.items()}
    return embeddings


def concatenate(parts: Iterator[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Join the batches: name to (N, D) float32."""
    collected = list(parts)
    return {name: np.concatenate([part[name] for part in collected]) for name in collected[0]}
