"""`artifacts/model/`: weights in safetensors, and a JSON from which the model is rebuilt.

`vireid export --format huggingface` writes the same two files by the names that the Hugging Face hub expects, and
such a folder is read like any other.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from vireid.data.store import ImagesInfo
from vireid.methods import build_method
from vireid.methods.base import Embedder
from vireid.support.errors import UserError
from vireid.support.files import remedy_of_missing, replacing, sha256, write_json
from vireid.support.weights import load_weights

SCHEMA = "vireid.model/2"
NAMES = ("weights.safetensors", "model.json")
HUB_NAMES = ("model.safetensors", "config.json")
_REMEDY = "train one with `dvc repro train`, or bring the right model back with `dvc checkout`"


@dataclass(frozen=True)
class ModelDescription:
    """Everything beside the weights.

    Attributes:
        method: Name of its folder in `vireid.methods`.
        model: The parameters' section `model`.
        loss: The parameters' section `loss`.
        pretrained_weights: Name, source, licence and SHA-256 of the weights that trunks or networks started from.
        images: Root attributes of the training images, super-resolution included.
        train_pids: Identities that the weights were fitted to, by label.
        holdout_pids: Identities that chose the epoch.
        selected_epoch: The epoch whose weights these are, from 0.
        selected_by: Held-out scores of that epoch (percent); empty where nothing was held out.
        compute: Device and arithmetic of the training.
    """

    method: str
    model: dict[str, Any]
    loss: dict[str, Any]
    pretrained_weights: list[dict[str, str | None]]
    images: dict[str, Any]
    train_pids: list[int]
    holdout_pids: list[int]
    selected_epoch: int
    selected_by: dict[str, float]
    compute: dict[str, Any]


def save_model(folder: Path, state: dict[str, Tensor], description: ModelDescription) -> None:
    """Write the folder under a temporary name, flush it to the disk, then rename it.

    The states of its training are deleted afterwards.
    """
    with replacing(folder, durable=True) as partial:
        partial.mkdir()
        # Not save_file, whose error on a full disk is no OSError.
        weights, json_file = (partial / name for name in NAMES)
        weights.write_bytes(save({name: value.contiguous() for name, value in state.items()}))
        content = {"schema": SCHEMA, "weights_sha256": sha256(weights)} | asdict(description)
        write_json(json_file, content, decimals=None)


def require_model(folder: Path) -> tuple[Path, Path]:
    """Check that a model's files are there, by the names of either layout.

    Returns:
        The weights, and the JSON.

    Raises:
        UserError: If one is not there.
    """
    names = HUB_NAMES if any((folder / name).is_file() for name in HUB_NAMES) else NAMES
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(
            folder,
            "the model is incomplete" if folder.is_dir() else "there is no model",
            expected=f"a folder with {' and '.join(names)}",
            found=f"no {' and no '.join(missing)}" if folder.is_dir() else "no such folder",
            remedy=remedy_of_missing(folder, _REMEDY),
        )
    weights, json_file = (folder / name for name in names)
    return weights, json_file


def read_description(folder: Path) -> tuple[ModelDescription, str]:
    """Read and check a model's JSON.

    Returns:
        The description, and the model's hash: the SHA-256 of its weights.

    Raises:
        UserError: If the folder lacks a file, is of another format, or the weights are not those described.
    """
    weights, json_file = require_model(folder)
    try:
        content = dict(json.loads(json_file.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise _unusable(json_file, "not a JSON object", SCHEMA, error) from error
    schema, expected_hash = content.pop("schema", None), content.pop("weights_sha256", None)
    if schema != SCHEMA:
        raise _unusable(json_file, "another format", SCHEMA, schema)
    found_hash = sha256(weights)
    if found_hash != expected_hash:
        raise _unusable(weights, "not the weights that were saved", expected_hash, found_hash)
    try:
        return ModelDescription(**content), found_hash
    except TypeError as error:
        raise _unusable(json_file, "not a model's description", SCHEMA, error) from error


def load_model(folder: Path, method: str, images: ImagesInfo) -> tuple[Embedder, ModelDescription, str]:
    """Rebuild a trained method and check that it belongs to these images.

    Args:
        folder: Written by `save_model`.
        method: The method that the parameters name.
        images: Root attributes of the images that will be embedded.

    Returns:
        The method with its weights, the description, and the model's hash.

    Raises:
        UserError: If the model is of another method, data set or trial, or its weights do not fit.
    """
    description, model_hash = read_description(folder)
    if description.method != method:
        raise _unusable(folder, "a model of another method", method, description.method)
    trained_on = ImagesInfo(**description.images)
    for key in ("dataset", "trial", "source_hash", "height", "width", "sixteen_bit"):
        expected, found = getattr(images, key), getattr(trained_on, key)
        if expected != found:
            raise _unusable(folder, f"a model trained with another {key}", expected, found)
    return rebuild_model(folder, description), description, model_hash


def rebuild_model(folder: Path, description: ModelDescription) -> Embedder:
    """Rebuild a trained method from its folder, whatever images it is for.

    Args:
        folder: Written by `save_model`.
        description: What `read_description` read there.

    Raises:
        UserError: If the weights do not fit.
    """
    path, _ = require_model(folder)
    pids = len(description.train_pids)
    rebuilt = build_method(description.method, pids, description.model, description.loss, from_scratch=True)
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise _unusable(path, "no weights can be read", "a safetensors file", error) from error
    load_weights(rebuilt, state, path, _REMEDY)
    return rebuilt


def check_disjoint(train_pids: list[int], test_pids: np.ndarray) -> None:
    """Refuse test identities that the model has seen in training.

    Raises:
        UserError: If there are any.
    """
    both = np.intersect1d(train_pids, test_pids)
    if len(both):
        raise _unusable(
            "artifacts/model",
            "test identities were seen in training",
            "disjoint identities",
            f"{len(both)} in both: {', '.join(map(str, both[:10]))}",
        )


def _unusable(where: object, problem: str, expected: object, found: object) -> UserError:
    return UserError(where, problem, expected=expected, found=found, remedy=_REMEDY)


def cpu_state(method: torch.nn.Module) -> dict[str, Tensor]:
    """Copy a module's weights and buffers to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in method.state_dict().items()}
