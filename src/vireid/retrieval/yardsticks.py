"""Embeddings that nobody trained: what chance, colours and grey levels reach under a protocol."""

from collections.abc import Callable

import numpy as np

from vireid.data.records import Modality
from vireid.data.store import ImageReader, ImageSet, ImagesInfo
from vireid.retrieval.features import Features, FeatureSet, FeaturesInfo

BINS_PER_CHANNEL = 8
GREY_BINS = 32
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_RANDOM_DIMENSIONS = 64
_BLOCK = 256  # images at a time, as bin numbers take more memory than pixels


def yardstick_features(reader: ImageReader, seed: int) -> dict[str, Features]:
    """Embed the test images of an images file with every yardstick.

    Args:
        reader: An open images file.
        seed: Of the random embedding.

    Returns:
        Name of the yardstick -> features, ready to be evaluated.
    """
    generator = np.random.default_rng(seed)
    visible, infrared = (_embedded(reader.read("test", modality), generator) for modality in Modality)
    return {name: Features(_info(reader.info, name), name, visible, infrared) for name in visible.embeddings}


def _info(images: ImagesInfo, name: str) -> FeaturesInfo:
    untrained = np.empty(0, np.int32)
    return FeaturesInfo(
        dataset=images.dataset,
        trial=images.trial,
        source_hash=images.source_hash,
        method=name,
        default=name,
        model_hash="none",
        superresolve=images.superresolve,
        flip=False,
        train_pids=untrained,
    )


def _embedded(images: ImageSet, generator: np.random.Generator) -> FeatureSet:
    pixels = np.asarray(images.image)
    embeddings = {
        "random": random_embedding(len(images), generator),
        "colour_histogram": colour_histogram(pixels),
        "grey_histogram": grey_histogram(pixels),
    }
    return FeatureSet(images.pid, images.camid, images.name, embeddings, images.optional)


def random_embedding(count: int, generator: np.random.Generator) -> np.ndarray:
    """Draw an embedding that knows nothing: its results are the protocol's chance level.

    Returns:
        (count, 64) float32, standard normal.
    """
    return generator.standard_normal((count, _RANDOM_DIMENSIONS), dtype=np.float32)


def colour_histogram(images: np.ndarray) -> np.ndarray:
    """Count the pixels of each colour, 8 x 8 x 8 bins in RGB.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, 512) float32, each row sums to 1.
    """

    def bins(pixels: np.ndarray) -> np.ndarray:
        red, green, blue = np.moveaxis(pixels.astype(np.int64) * BINS_PER_CHANNEL // 256, -1, 0)
        return (red * BINS_PER_CHANNEL + green) * BINS_PER_CHANNEL + blue

    return _histogram(images, bins, BINS_PER_CHANNEL**3)


def grey_histogram(images: np.ndarray) -> np.ndarray:
    """Count the pixels of each brightness, 32 bins.

    Args:
        images: (N, H, W, 3) uint8 RGB.

    Returns:
        (N, 32) float32, each row sums to 1.
    """

    def bins(pixels: np.ndarray) -> np.ndarray:
        return ((pixels @ _LUMA) * (GREY_BINS / 256)).astype(np.int64)  # the brightest, 255, is in the last

    return _histogram(images, bins, GREY_BINS)


def _histogram(images: np.ndarray, bins: Callable[[np.ndarray], np.ndarray], num_bins: int) -> np.ndarray:
    """Count the pixels of each bin, image by image, and scale each image's counts to sum 1."""
    counts = np.empty((len(images), num_bins), np.float32)
    for start in range(0, len(images), _BLOCK):
        numbers = bins(images[start : start + _BLOCK])
        numbers = numbers.reshape(len(numbers), -1) + np.arange(len(numbers))[:, None] * num_bins
        block = np.bincount(numbers.ravel(), minlength=num_bins * len(numbers))
        counts[start : start + _BLOCK] = block.reshape(-1, num_bins) / numbers.shape[1]
    return counts
