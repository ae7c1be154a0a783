"""From packed uint8 images to the normalised batch that a network sees, with random changes in training.

Every random choice is drawn per image for the whole batch at once, from one generator that the caller seeds.
"""

import numpy as np
import torch
from torch import Tensor

from vireid.data.records import Modality
from vireid.params import Augmentation

# Channel means and standard deviations of ImageNet, which torchvision's pretrained weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Random erasing (Zhong et al., AAAI 2020): share of the image's area, and height over width.
ERASED_AREA = (0.02, 0.2)
ERASED_ASPECT = (0.3, 1 / 0.3)


def normalise(images: np.ndarray, device: torch.device) -> Tensor:
    """Turn (B, H, W, 3) uint8 RGB into (B, 3, H, W) float32, channels last in memory, ImageNet-normalised."""
    pixels = torch.from_numpy(images).to(device).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(value, device=device).view(1, 3, 1, 1) for value in (MEAN, STD))
    return (pixels / 255 - mean) / std


def augmented(
    images: np.ndarray,
    modality: Tensor,
    settings: Augmentation,
    rng: np.random.Generator,
    device: torch.device,
) -> Tensor:
    """Change a batch at random and normalise it.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        modality: (B,) int64, values of `Modality`.
        settings: Probabilities and sizes.
        rng: Source of every random choice.
        device: Where the result lies.

    Returns:
        (B, 3, H, W) float32, channels last in memory.
    """
    cropped = crop_and_flip(images, settings.pad, settings.flip, rng)
    batch = normalise(cropped, device)
    chosen = rng.random(len(batch)) < settings.channel_mix
    rows = torch.from_numpy(chosen).to(device) & (modality == Modality.VISIBLE)
    if rows.any():
        batch[rows] = mix_channels(batch[rows], settings.signed_mix, rng)
    return erase(batch, settings.erase, rng)


def crop_and_flip(images: np.ndarray, pad: int, flip: float, rng: np.random.Generator) -> np.ndarray:
    """Pad with black on all sides, crop back to the size at a random place, mirror with probability `flip`."""
    count, height, width = images.shape[:3]
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    rows = rng.integers(0, 2 * pad + 1, (count, 1)) + np.arange(height)
    columns = rng.integers(0, 2 * pad + 1, (count, 1)) + np.arange(width)
    mirrored = rng.random(count) < flip
    columns[mirrored] = columns[mirrored, ::-1]
    return padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def mix_channels(batch: Tensor, signed: bool, rng: np.random.Generator) -> Tensor:
    """Replace each image by one random mix of its channels, standardised per image.

    Colour says nothing across modalities; this takes it away. With `signed`, weights may be negative, which
    also takes away which of two materials is the brighter one, as dyes do in near-infrared.

    Args:
        batch: (B, 3, H, W) float, normalised.
        signed: Normal weights of either sign, rather than uniform positive ones.
        rng: Source of the weights.
    """
    drawn = rng.normal(size=(len(batch), 3)) if signed else rng.random((len(batch), 3))
    weights = torch.from_numpy(drawn).to(batch)
    grey = torch.einsum("bc,bchw->bhw", weights, batch)
    spread, mean = torch.std_mean(grey, dim=(1, 2), keepdim=True)
    return ((grey - mean) / (spread + 1e-3))[:, None].expand_as(batch)


def erase(batch: Tensor, probability: float, rng: np.random.Generator) -> Tensor:
    """Set one random rectangle of an image to the mean colour, with `probability` per image."""
    count, _, height, width = batch.shape
    area = rng.uniform(*ERASED_AREA, count) * height * width
    aspect = np.exp(rng.uniform(*np.log(ERASED_ASPECT), count))
    heights = np.minimum(np.sqrt(area * aspect), height)
    widths = np.minimum(np.sqrt(area / aspect), width)
    tops, lefts = rng.random(count) * (height - heights), rng.random(count) * (width - widths)
    heights[rng.random(count) >= probability] = 0
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    inside_rows = (rows >= tops[:, None]) & (rows < (tops + heights)[:, None])
    inside_columns = (columns >= lefts[:, None]) & (columns < (lefts + widths)[:, None])
    mask = torch.from_numpy(inside_rows[:, :, None] & inside_columns[:, None, :]).to(batch.device)
    return torch.where(mask[:, None], 0.0, batch)  # unlike masked_fill, keeps channels last
