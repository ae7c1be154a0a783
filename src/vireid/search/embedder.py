"""A trained model, ready to embed picture files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vireid.compute import all_cores, choose_device
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import ImagesInfo
from vireid.methods.base import Embedder
from vireid.params import DeviceSettings
from vireid.retrieval.features import DEFAULT
from vireid.search.pictures import decode_batches, unreadable
from vireid.support.errors import UserError
from vireid.training.embedding import embed_batch, set_up
from vireid.training.model_folder import read_description, rebuild_model


class PictureEmbedder:
    """Embeds picture files as `extract` embeds a data set's images.

    Args:
        folder: The model, written by `train`.
        embedding: One that the method offers, or `default` for the one that its paper ranks.
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
        folder: Path,
        embedding: str = DEFAULT,
        compute: DeviceSettings | None = None,
        batch_size: int = 64,
    ):
        compute = compute or all_cores()
        description, self.model_hash = read_description(folder)
        method = rebuild_model(folder, description)
        self.embedding = choose_embedding(folder, method, embedding)
        self.size = (description.images["height"], description.images["width"])
        self.scaling = Scaling.parse(ImagesInfo(**description.images).sixteen_bit, folder)
        self._fabric = choose_device(compute).fabric()
        self._method = set_up(method, self._fabric)
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
                batch_of = embed_batch(self._method, np.stack(images), modality, self._fabric.device, flip)
                vectors.append(batch_of[self.embedding])
            start += len(batch)
            advance(len(batch))
        if not vectors:
            raise unreadable(paths[0], "none of the pictures can be read", "name other pictures")
        return require_finite(np.concatenate(vectors)), bad


def choose_embedding(folder: Path, method: Embedder, embedding: str) -> str:
    """Name an embedding of a model.

    Args:
        folder: Where the model lies, for the message.
        method: The model.
        embedding: One that it offers, or `default` for the one that its paper ranks.

    Raises:
        UserError: If it has no such embedding.
    """
    names = list(method.embedding_dims)
    chosen = names[0] if embedding == DEFAULT else embedding
    if chosen not in names:
        raise UserError(
            folder,
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
