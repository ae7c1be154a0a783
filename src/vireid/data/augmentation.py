"""From packed uint8 images to the normalised batch that a network sees, with random changes in training.

Every random choice is drawn for the whole batch first, from one generator that the caller seeds, and then applied
to the batch or to a part of it.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from vireid.params import Augmentation

# Channel means and standard deviations of ImageNet, which torchvision's pretrained weights expect.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Random erasing (Zhong et al., AAAI 2020): share of the image's area, and height over width.
ERASED_AREA = (0.02, 0.2)
ERASED_ASPECT = (0.3, 1 / 0.3)
# Factor on height and width before an image is cropped back to its size (torchreid, Zhou and Xiang, 2019).
ZOOM = 1.125
LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
# What channel exchange shows of an image, in thousandths of its channels: one, or the luminance.
EXCHANGES = np.rint(1000 * np.array([*np.eye(3), LUMINANCE])).astype(int)


def normalise(images: Tensor) -> Tensor:
    """Turn (B, H, W, 3) uint8 RGB into (B, 3, H, W) float32, channels last in memory, ImageNet-normalised."""
    mean, std = (torch.tensor(value, device=images.device).view(1, 3, 1, 1) for value in (MEAN, STD))
    return images.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)


@dataclass(frozen=True)
class Changes:
    """What is changed in each image of a batch, drawn before any image is touched; N images.

    Attributes:
        top: (N,) int64, rows by which the window of the crop is moved in the padded image.
        left: (N,) int64, columns likewise.
        mirrored: (N,) bool.
        mix: (N, 3) float64, weights of the channels, zeros where the channels stay.
        erased: (N, 4) float64, top, left, bottom and right of the erased rectangle in pixels; empty where none is.
        zoomed: (N,) bool, whether the image is enlarged and cropped back.
        zoom_top: (N,) int64, first row of that crop in the enlarged image.
        zoom_left: (N,) int64, its first column.
        exchange: (N, 3) int64, thousandths of each channel in what all three become; zeros where they stay.
    """

    top: np.ndarray
    left: np.ndarray
    mirrored: np.ndarray
    mix: np.ndarray
    erased: np.ndarray
    zoomed: np.ndarray
    zoom_top: np.ndarray
    zoom_left: np.ndarray
    exchange: np.ndarray

    def part(self, rows: slice | np.ndarray) -> "Changes":
        """Take the changes of some images."""
        return Changes(*(getattr(self, item.name)[rows] for item in fields(self)))


def draw_changes(
    visible: int, infrared: int, height: int, width: int, settings: Augmentation, rng: np.random.Generator
) -> Changes:
    """Draw the changes of a whole batch, so that any part of it can be changed by itself.

    Args:
        visible: Number of visible images, which come first.
        infrared: Number of infrared images.
        height: Of an image, pixels.
        width: Of an image, pixels.
        settings: Probabilities and sizes.
        rng: Source of every random choice.
    """
    count = visible + infrared
    top, left = (rng.integers(0, 2 * settings.pad + 1, (count, 1)).ravel() for _ in range(2))
    mirrored = rng.random(count) < settings.flip
    mixed = np.flatnonzero((rng.random(count) < settings.channel_mix) & (np.arange(count) < visible))
    mix = np.zeros((count, 3))
    if len(mixed):
        mix[mixed] = rng.normal(size=(len(mixed), 3)) if settings.signed_mix else rng.random((len(mixed), 3))
    erased = _draw_rectangles(count, height, width, settings.erase, rng)
    zoomed = rng.random(count) < settings.zoom
    zoom_top, zoom_left = (rng.integers(0, enlarged(size) - size + 1, count) for size in (height, width))
    exchanged = (rng.random(count) < settings.channel_exchange) & (np.arange(count) < visible)
    exchange = EXCHANGES[rng.integers(0, len(EXCHANGES), count)] * exchanged[:, None]
    return Changes(top, left, mirrored, mix, erased, zoomed, zoom_top, zoom_left, exchange)


def _draw_rectangles(
    count: int, height: int, width: int, probability: float, rng: np.random.Generator
) -> np.ndarray:
    area = rng.uniform(*ERASED_AREA, count) * height * width
    flattest, tallest = np.log(ERASED_ASPECT)
    aspect = np.exp(rng.uniform(flattest, tallest, count))
    heights = np.minimum(np.sqrt(area * aspect), height)
    widths = np.minimum(np.sqrt(area / aspect), width)
    tops, lefts = rng.random(count) * (height - heights), rng.random(count) * (width - widths)
    heights[rng.random(count) >= probability] = 0
    return np.stack([tops, lefts, tops + heights, lefts + widths], axis=1)


def augmented(images: Tensor, changes: Changes, pad: int) -> Tensor:
    """Change images and normalise them.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        changes: What to do to each of the B images.
        pad: Pixels of black around an image, from which it is cropped.

    Returns:
        (B, 3, H, W) float32, channels last in memory.
    """
    batch = normalise(exchange_channels(crop_and_flip(zoom(images, changes), pad, changes), changes))
    return erase(mix_channels(batch, changes), changes)


def enlarged(size: int) -> int:
    """Height or width of an image that is enlarged, pixels."""
    return round(size * ZOOM)


def zoom(images: Tensor, changes: Changes) -> Tensor:
    """Enlarge the (B, H, W, 3) uint8 images that are to be, bilinearly, and crop them back to their size."""
    zoomed = np.flatnonzero(changes.zoomed)
    if not len(zoomed):
        return images
    _, height, width, _ = images.shape
    chosen = torch.from_numpy(zoomed).to(images.device)
    planes = images[chosen].permute(0, 3, 1, 2).float()
    large = interpolate(planes, (enlarged(height), enlarged(width)), mode="bilinear", align_corners=False)
    rows = changes.zoom_top[zoomed, None] + np.arange(height)
    columns = changes.zoom_left[zoomed, None] + np.arange(width)
    result = images.clone()
    result[chosen] = _windows(large.round_().to(torch.uint8).permute(0, 2, 3, 1), rows, columns)
    return result


def crop_and_flip(images: Tensor, pad: int, changes: Changes) -> Tensor:
    """Pad (B, H, W, 3) uint8 images with black, crop back to the size, and mirror; all in one gather."""
    _, height, width, _ = images.shape
    rows = changes.top[:, None] + np.arange(height)
    columns = np.where(changes.mirrored[:, None], np.arange(width)[::-1], np.arange(width)) + changes.left[:, None]
    padded = torch.nn.functional.pad(images, (0, 0, pad, pad, pad, pad))
    return _windows(padded, rows, columns)


def _windows(images: Tensor, rows: np.ndarray, columns: np.ndarray) -> Tensor:
    """Take the pixels at rows (B, h) and columns (B, w) of each of B images (B, H, W, 3)."""
    # A pixel's place among all pixels of the batch, so that its three bytes are taken at once.
    starts = (np.arange(len(images))[:, None, None] * images.shape[1] + rows[:, :, None]) * images.shape[2]
    places = torch.from_numpy((starts + columns[:, None, :]).ravel()).to(images.device)
    pixels = images.reshape(-1, images.shape[3]).index_select(0, places)
    return pixels.view(len(images), rows.shape[1], columns.shape[1], images.shape[3])


def exchange_channels(images: Tensor, changes: Changes) -> Tensor:
    """Show images that have weights by one channel of theirs, or by their luminance, in all three channels.

    Ye et al., "Channel augmented joint learning for visible-infrared recognition" (ICCV 2021). A visible image
    then has three equal channels, as an infrared one has. Ours: all four kinds are equally likely. The paper's
    random erasing by channel and its second, exchanged copy of each visible image are not here.

    Args:
        images: (B, H, W, 3) uint8 RGB.
        changes: Thousandths of the channels.
    """
    exchanged = np.flatnonzero(changes.exchange.any(axis=1))
    if not len(exchanged):
        return images
    rows = torch.from_numpy(exchanged).to(images.device)
    parts = torch.from_numpy(changes.exchange[exchanged]).to(images.device, torch.int32)[:, None, None]
    single = ((images[rows] * parts).sum(dim=3, keepdim=True, dtype=torch.int32) + 500) // 1000  # rounded
    result = images.clone()
    result[rows] = single.to(torch.uint8).expand(-1, -1, -1, images.shape[3])
    return result


def mix_channels(batch: Tensor, changes: Changes) -> Tensor:
    """Replace images that have weights by one mix of their channels, standardised per image, in place.

    Colour says nothing across modalities; this takes it away. Weights of both signs also take away which of two
    materials is the brighter one, as dyes do in near-infrared.

    Args:
        batch: (B, 3, H, W) float, normalised.
        changes: Weights.
    """
    mixed = np.flatnonzero(changes.mix.any(axis=1))
    if len(mixed):
        rows = torch.from_numpy(mixed).to(batch.device)
        weights = torch.from_numpy(changes.mix[mixed]).to(batch)
        grey = torch.einsum("bc,bchw->bhw", weights, batch[rows])
        spread, mean = torch.std_mean(grey, dim=(1, 2), keepdim=True)
        batch[rows] = ((grey - mean) / (spread + 1e-3))[:, None].expand(-1, batch.shape[1], -1, -1)
    return batch


def erase(batch: Tensor, changes: Changes) -> Tensor:
    """Set each image's rectangle to the mean colour, in place."""
    top, left, bottom, right = (edge[:, None] for edge in changes.erased.T)
    rows, columns = (np.arange(size) + 0.5 for size in batch.shape[2:])
    inside_rows, inside_columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    mask = torch.from_numpy(inside_rows[:, :, None] & inside_columns[:, None, :]).to(batch.device)
    return batch.masked_fill_(mask[:, None], 0.0)
