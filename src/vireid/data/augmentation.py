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


def normalise(images: Tensor) -> Tensor:
    """Turn (B, H, W, 3) uint8 RGB into (B, 3, H, W) float32, channels last in memory, ImageNet-normalised."""
    mean, std = (torch.tensor(value, device=images.device).view(1, 3, 1, 1) for value in (MEAN, STD))
    return images.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)


def augmented(images: Tensor, modality: Tensor, settings: Augmentation, rng: np.random.Generator) -> Tensor:
    """Change a batch at random and normalise it.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        modality: (B,) int64, values of `Modality`, on the same device.
        settings: Probabilities and sizes.
        rng: Source of every random choice.

    Returns:
        (B, 3, H, W) float32, channels last in memory.
    """
    batch = normalise(crop_and_flip(images, settings.pad, settings.flip, rng))
    chosen = rng.random(len(batch)) < settings.channel_mix
    rows = torch.from_numpy(chosen).to(batch.device) & (modality == Modality.VISIBLE)
    if rows.any():
        batch[rows] = mix_channels(batch[rows], settings.signed_mix, rng)
    return erase(batch, settings.erase, rng)


def crop_and_flip(images: Tensor, pad: int, flip: float, rng: np.random.Generator) -> Tensor:
    """Pad with black on all sides, crop back to the size at a random place, mirror with probability `flip`."""
    count, height, width, _ = images.shape
    tops, lefts = (rng.integers(0, 2 * pad + 1, (count, 1)).ravel().tolist() for _ in range(2))
    mirrored = rng.random(count) < flip
    padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad))
    cropped = torch.empty_like(images)
    for image, top, left, mirror, out in zip(padded, tops, lefts, mirrored, cropped, strict=True):
        window = image[top : top + height, left : left + width]
        out.copy_(window.flip(1) if mirror else window)
    return cropped


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
    """Set one random rectangle of an image to the mean colour, with `probability` per image, in place."""
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
    return batch.masked_fill_(mask[:, None], 0.0)
