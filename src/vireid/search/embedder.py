"""A trained model, ready to embed picture files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from vireid.compute import Device, all_cores, choose_device
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import ImagesInfo
from vireid.params import DeviceSettings
from vireid.retrieval.features import DEFAULT
from vireid.search.pictures import decode_batches, unreadable
from vireid.support.errors import UserError
from vireid.support.files import remedy_of_missing
from vireid.training.embedding import embed_batch, set_up
from vireid.training.model_folder import read_description, rebuild_model

if TYPE_CHECKING:
    from vireid.export.onnx_model import OnnxModel

ONNX_SUFFIX = ".onnx"


class BatchEmbedder(Protocol):
    """What embeds a batch of images: a model of torch, or an ONNX file.

    Attributes:
        model_hash: SHA-256 of the model's weights.
        embeddings: Name and width of each embedding; the first is the one that its paper ranks.
        size: (height, width) in pixels of the images that it takes.
        sixteen_bit: How 16-bit pictures are read, as `Scaling` writes it.
    """

    model_hash: str
    embeddings: Mapping[str, int]
    size: tuple[int, int]
    sixteen_bit: str

    def embed_batch(self, images: np.ndarray, modality: Modality, flip: bool) -> dict[str, np.ndarray]:
        """(B, H, W, 3) uint8 RGB of one spectrum to (B, D) float32 by name; `flip`: means with the mirrored."""


class TorchModel:
    """A model folder, ready to embed batches; attributes as of `BatchEmbedder`.

    Args:
        folder: Written by `train`, or by `vireid export --format huggingface`.
        compute: Device, precision and threads.
    """

    embeddings: Mapping[str, int]

    def __init__(self, folder: Path, compute: DeviceSettings):
        description, self.model_hash = read_description(folder)
        method = rebuild_model(folder, description)
        images = ImagesInfo(**description.images)
        self.size, self.sixteen_bit = (images.height, images.width), images.sixteen_bit
        self.embeddings = method.embedding_dims
        self._fabric = _as_trained(compute, description.compute).fabric()
        self._method = set_up(method, self._fabric)

    def embed_batch(self, images: np.ndarray, modality: Modality, flip: bool) -> dict[str, np.ndarray]:
        """See `BatchEmbedder`."""
        return embed_batch(self._method, images, modality, self._fabric.device, flip)


class PictureEmbedder:
    """Embeds picture files as `extract` embeds a data set's images.

    Args:
        model: A model folder, or an ONNX file of `vireid export`.
        embedding: One that the model offers, or `default` for the one that its paper ranks.
        compute: Device, precision, and the threads to compute and workers to decode with; all there is without.
        batch_size: Images at a time.

    Attributes:
        model_hash: SHA-256 of the model's weights.
        embedding: Name of the embedding.
        size: (height, width) in pixels to which pictures are scaled.
        scaling: How 16-bit pictures are read, as the data set's were.

    Raises:
        UserError: If the model cannot be read or has no such embedding.
    """

    def __init__(
        self,
        model: Path,
        embedding: str = DEFAULT,
        compute: DeviceSettings | None = None,
        batch_size: int = 64,
    ):
        compute = compute or all_cores()
        is_onnx = model.suffix == ONNX_SUFFIX and not model.is_dir()
        self._model: BatchEmbedder = _open_onnx(model, compute) if is_onnx else TorchModel(model, compute)
        self.model_hash, self.size = self._model.model_hash, self._model.size
        self.embedding = choose_embedding(model, self._model.embeddings, embedding)
        self.scaling = Scaling.parse(self._model.sixteen_bit, model)
        self._batch_size, self._workers = batch_size, compute.workers

    def embed(
        self,
        paths: Sequence[Path],
        modality: Modality,
        flip: bool = False,
        skip_bad: bool = False,
        advance: Callable[[int], None] = lambda count: None,
    ) -> tuple[np.ndarray, dict[Path, str]]:
        """Embed pictures of one modality.

        Args:
            paths: The files.
            modality: Their spectrum.
            flip: Whether to take the mean with the mirror image's embedding.
            skip_bad: Leave unreadable pictures out, rather than to end with an error.
            advance: Called with the number of pictures after each batch.

        Returns:
            (N, D) float32 of those that can be read, in order; and those that cannot be, with the reason.

        Raises:
            UserError: If a picture cannot be read and `skip_bad` is not set, or none can be; if an embedding is
                not finite.
        """
        vectors, start = [], 0
        bad: dict[Path, str] = {}
        for batch in decode_batches(paths, *self.size, self.scaling, self._batch_size, self._workers):
            problems = {
                path: item.problem
                for path, item in zip(paths[start : start + len(batch)], batch, strict=True)
                if item.problem is not None
            }
            if problems and not skip_bad:
                path, problem = next(iter(problems.items()))
                raise unreadable(path, problem, "replace it; a gallery's are passed over with --on-bad-image skip")
            bad |= problems
            images = [item.image for item in batch if item.image is not None]
            if images:
                vectors.append(self._model.embed_batch(np.stack(images), modality, flip)[self.embedding])
            start += len(batch)
            advance(len(batch))
        if not vectors:
            raise unreadable(paths[0], "none of the pictures can be read", "name other pictures")
        return require_finite(np.concatenate(vectors)), bad


def _as_trained(compute: DeviceSettings, training: Mapping[str, Any]) -> Device:
    """Choose a device, and where the precision is left open that of the training, on a device of its kind."""
    device = choose_device(compute)
    if compute.precision == "auto" and device.accelerator == training["accelerator"]:
        return replace(device, precision=training["precision"])
    return device


def _open_onnx(path: Path, compute: DeviceSettings) -> "OnnxModel":
    """Open an ONNX file; what reads it is imported where one is given."""
    if not path.is_file():
        raise UserError(
            path,
            "there is no model",
            expected="an ONNX file",
            found="no such file",
            remedy=remedy_of_missing(path, "write one with `vireid export`"),
        )
    from vireid.export.onnx_model import OnnxModel

    return OnnxModel(path, compute)


def choose_embedding(model: Path, embeddings: Mapping[str, int], embedding: str) -> str:
    """Name an embedding of a model.

    Args:
        model: Where it lies, for the message.
        embeddings: Those that it offers; the first is the one that its paper ranks.
        embedding: One of them, or `default` for the first.

    Raises:
        UserError: If it has no such embedding.
    """
    names = list(embeddings)
    chosen = names[0] if embedding == DEFAULT else embedding
    if chosen not in names:
        raise UserError(
            model,
            "the model has no such embedding",
            expected=f"one of {', '.join(names)}",
            found=embedding,
            remedy="choose one of these with --embedding",
        )
    return chosen


def require_finite(vectors: np.ndarray) -> np.ndarray:
    """Return embeddings (N, D) if all are finite.

    Raises:
        UserError: If one is not.
    """
    if not np.isfinite(vectors).all():
        raise UserError(
            "the model",
            "NaN or infinite embeddings",
            expected="finite numbers",
            found=f"{(~np.isfinite(vectors).all(axis=1)).sum()} of {len(vectors)} pictures",
            remedy="look whether the training diverged, and train again",
        )
    return vectors
