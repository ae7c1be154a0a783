"""A model in an ONNX file: written from a model folder, and read back to embed images without torch's weights.

What the graph takes and gives says `vireid.export.onnx_graph`. The file's metadata hold, under `vireid`, a JSON:
`schema` (`vireid.onnx/1`), `method`, `model_hash` (SHA-256 of the weights it was made from), `height`, `width`,
`sixteen_bit` (how pictures of 16 bits become those of 8), `embeddings` (name to width, the first is the one that
the paper ranks), and `input` and `spectrum`, which say in words what to feed.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, InvalidGraph, InvalidProtobuf

from vireid.data.records import Modality
from vireid.export.onnx_graph import IMAGES, INFRARED, to_onnx
from vireid.methods.base import Fitted
from vireid.params import DeviceSettings
from vireid.support.errors import UserError
from vireid.support.files import replacing
from vireid.training.model_folder import read_description, rebuild_model

SCHEMA, _KEY = "vireid.onnx/1", "vireid"
_REMEDY = "export it again with `vireid export`"
_UNREADABLE = (Fail, InvalidArgument, InvalidGraph, InvalidProtobuf)


@dataclass(frozen=True)
class OnnxDescription:
    """What the file's metadata say; see the module."""

    method: str
    model_hash: str
    height: int
    width: int
    sixteen_bit: str
    embeddings: dict[str, int]
    input: str = f"{IMAGES}: uint8 RGB, (images, height, width, 3); ImageNet's normalisation is in the graph"
    spectrum: str = f"{INFRARED}: true if the images are infrared, false if they are visible"


def export_onnx(folder: Path, output: Path) -> OnnxDescription:
    """Convert a model to an ONNX file.

    Args:
        folder: Written by `save_model`.
        output: The file.

    Raises:
        UserError: If the model cannot be read, or is fitted in closed form, by code that no graph can hold.
    """
    description, model_hash = read_description(folder)
    model = rebuild_model(folder, description)
    if isinstance(model, Fitted):
        raise UserError(
            folder,
            f"{description.method} cannot be an ONNX graph",
            expected="a network",
            found="features that are computed outside of torch",
            remedy="export a method that is trained by steps",
        )
    height, width = description.images["height"], description.images["width"]
    told = OnnxDescription(
        description.method, model_hash, height, width, description.images["sixteen_bit"], model.embedding_dims
    )
    graph = to_onnx(model, height, width)
    onnx.helper.set_model_props(graph, {_KEY: json.dumps({"schema": SCHEMA} | asdict(told))})
    with replacing(output) as partial:
        partial.write_bytes(graph.SerializeToString(deterministic=True))
    return told


class OnnxModel:
    """Embeds batches by an ONNX file, on the CPU or a GPU that ONNX Runtime can use.

    Args:
        path: Written by `export_onnx`.
        compute: Device and threads.

    Attributes:
        model_hash: SHA-256 of the weights that the file was made from.
        embeddings: Name and width of each.
        size: (height, width) in pixels.
        sixteen_bit: How 16-bit pictures are read.

    Raises:
        UserError: If the file cannot be read, is not vireid's, or there is no such device.
    """

    def __init__(self, path: Path, compute: DeviceSettings):
        content = path.read_bytes()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = compute.threads
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=_providers(compute))
        except _UNREADABLE as error:
            problem = str(error).splitlines()[0]
            raise _unusable(path, "not an ONNX model that can be read", "an ONNX file", problem) from error
        told = _read_description(path, self._session.get_modelmeta().custom_metadata_map)
        self.model_hash, self.size = told.model_hash, (told.height, told.width)
        self.sixteen_bit = told.sixteen_bit
        self.embeddings: Mapping[str, int] = told.embeddings

    def embed_batch(self, images: np.ndarray, modality: Modality, flip: bool) -> dict[str, np.ndarray]:
        """Embed images of one spectrum.

        Args:
            images: (B, H, W, 3) uint8 RGB.
            modality: The spectrum.
            flip: Whether to take the mean of the embeddings of each image and of its mirror image.

        Returns:
            Name to (B, D) float32.
        """
        embeddings = self._run(images, modality)
        if flip:
            mirrored = self._run(images[:, :, ::-1], modality)
            embeddings = {name: (values + mirrored[name]) / 2 for name, values in embeddings.items()}
        return embeddings

    def _run(self, images: np.ndarray, modality: Modality) -> dict[str, np.ndarray]:
        inputs = {
            IMAGES: np.ascontiguousarray(images),
            INFRARED: np.array(modality is Modality.INFRARED),
        }
        names = list(self.embeddings)
        return dict(zip(names, self._session.run(names, inputs), strict=True))


def _providers(compute: DeviceSettings) -> list[str]:
    """Name what ONNX Runtime computes with, the first choice first.

    Raises:
        UserError: If CUDA is asked for and this ONNX Runtime has none.
    """
    available = onnxruntime.get_available_providers()
    has_cuda = "CUDAExecutionProvider" in available
    if compute.device == "cuda" and not has_cuda:
        raise UserError(
            "--device",
            "ONNX Runtime has no CUDA here",
            expected="CUDAExecutionProvider",
            found=", ".join(available),
            remedy="install onnxruntime-gpu in place of onnxruntime, or choose --device cpu",
        )
    wanted = ["CUDAExecutionProvider"] if has_cuda and compute.device != "cpu" else []
    return [*wanted, "CPUExecutionProvider"]


def _read_description(path: Path, metadata: Mapping[str, str]) -> OnnxDescription:
    try:
        content: dict[str, Any] = dict(json.loads(metadata.get(_KEY, "{}")))
    except (ValueError, TypeError) as error:
        raise _unusable(path, "its metadata are no JSON object", SCHEMA, error) from error
    schema = content.pop("schema", "no metadata of vireid")
    if schema != SCHEMA:
        raise _unusable(path, "not a model of vireid", SCHEMA, schema)
    try:
        return OnnxDescription(**content)
    except TypeError as error:
        raise _unusable(path, "its metadata are of another format", SCHEMA, error) from error


def _unusable(path: Path, problem: str, expected: object, found: object) -> UserError:
    return UserError(path, problem, expected=expected, found=found, remedy=_REMEDY)
