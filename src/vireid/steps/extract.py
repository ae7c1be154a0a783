"""The step `extract`: every test image embedded once."""

from pathlib import Path

import numpy as np

from vireid.compute import choose_device
from vireid.data.records import Modality
from vireid.data.store import ImageSet, open_images
from vireid.params import Params
from vireid.retrieval.features import FeatureSet, FeaturesInfo, write_features
from vireid.support.errors import UserError
from vireid.support.progress import progress
from vireid.training.embedding import concatenate, embed_images, set_up
from vireid.training.model_folder import check_disjoint, load_model


def extract(params: Params, images: Path, model: Path, features: Path) -> tuple[FeatureSet, FeatureSet]:
    """Embed every test image once.

    Args:
        params: Reads `method`, `extract` and `compute`.
        images: The packed images.
        model: The trained model's folder.
        features: File to write.

    Returns:
        What was written: the visible and the infrared images with every embedding that the method offers.

    Raises:
        UserError: If the model is of another method, data set, trial or image size; if it has seen a test
            identity; if a modality has no test image; if an embedding is not finite.
    """
    fabric, settings = choose_device(params.compute).fabric(), params.extract
    with open_images(images) as file:
        method, description, model_hash = load_model(model, params.method, file.info)
        seen = description.train_pids + description.holdout_pids
        check_disjoint(seen, file.pids("test"))
        tests = [file.stored("test", modality) for modality in Modality]
    _check_modalities(images, tests)
    names = list(method.embedding_dims)
    method = set_up(method, fabric)
    total, sets = sum(map(len, tests)), []
    with progress("extract", total, "images") as bar:
        for modality, part in zip(Modality, tests, strict=True):
            batches = embed_images(method, part, modality, settings.batch_size, fabric.device, settings.flip)
            embeddings = concatenate(bar.over(batches, lambda batch: len(batch[names[0]])))
            sets.append(FeatureSet(part.pid, part.camid, part.name, embeddings, part.optional))
    info = FeaturesInfo(
        dataset=description.images["dataset"],
        trial=description.images["trial"],
        source_hash=description.images["source_hash"],
        method=description.method,
        default=names[0],
        model_hash=model_hash,
        superresolve=description.images["superresolve"],
        flip=settings.flip,
        train_pids=np.array(sorted(seen), np.int32),
    )
    visible, infrared = sets
    write_features(features, info, visible, infrared)
    return visible, infrared


def _check_modalities(path: Path, tests: list[ImageSet]) -> None:
    for modality, part in zip(Modality, tests, strict=True):
        if len(part) == 0:
            raise UserError(
                path,
                f"no {modality.group} test image",
                expected="test images of both modalities",
                found="none",
                remedy="complete the data set's test split, then run `dvc repro`",
            )
