"""A trained model as one ONNX graph that takes pixels and says which spectrum they are of.

Inputs are `images`, (N, H, W, 3) uint8 RGB of any number N, and `infrared`, a single truth value: whether they are
infrared or visible images. Outputs are the embeddings by name, (N, D) float32, not normalised. ImageNet's
normalisation is in the graph. A network with layers for each spectrum becomes a branch for each; what the
branches share is stored once.
"""

from collections.abc import Mapping

import onnx
import torch
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from torch import Tensor, nn

from vireid.data.records import Modality
from vireid.methods.base import Embedder
from vireid.training.embedding import embed_pixels

OPSET, IR_VERSION = 20, 10
IMAGES, INFRARED = "images", "infrared"
_BATCH = "batch"
_EXAMPLES = 2  # images that the network is traced with; 1 would be taken for a fixed size


class PixelsToEmbeddings(nn.Module):
    """An embedder of one spectrum, from pixels on.

    Args:
        model: In eval mode.
        modality: The spectrum.
    """

    def __init__(self, model: Embedder, modality: Modality):
        super().__init__()
        self.model, self.modality = model, modality

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """(N, H, W, 3) uint8 to the embeddings in the order of `embedding_dims`."""
        embeddings = embed_pixels(self.model, images, self.modality, flip=False)
        return tuple(embeddings[name] for name in self.model.embedding_dims)


def to_onnx(model: Embedder, height: int, width: int) -> ModelProto:
    """Convert a model.

    Args:
        model: On the CPU; it is put into eval mode.
        height: Of the images that it takes.
        width: Likewise.

    Returns:
        A graph as this module describes it, checked by ONNX, without metadata.
    """
    model.eval()
    modalities = [Modality.VISIBLE] if model.one_stream else list(Modality)
    weights = _Weights()
    branches = {
        modality: _nodes(_traced(PixelsToEmbeddings(model, modality), height, width), modality.group, weights)
        for modality in modalities
    }
    dims = model.embedding_dims
    graph = helper.make_graph(
        branches[Modality.VISIBLE] + _renamed(dims) if model.one_stream else [_choice(branches, dims)],
        type(model).__name__,
        [
            helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, [_BATCH, height, width, 3]),
            helper.make_tensor_value_info(INFRARED, TensorProto.BOOL, []),
        ],
        _embeddings(dims),
        initializer=weights.tensors,
    )
    opset = helper.make_opsetid("", OPSET)
    converted = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION, producer_name="vireid")
    onnx.checker.check_model(converted, full_check=True)
    return converted


class _Weights:
    """Weights and constants of the whole graph, equal ones once."""

    def __init__(self) -> None:
        self._names: dict[bytes, str] = {}
        self.tensors: list[TensorProto] = []

    def add(self, tensor: TensorProto) -> str:
        """Take a tensor in, and return its name in the graph."""
        content = TensorProto()
        content.CopyFrom(tensor)
        content.ClearField("name")
        key = content.SerializeToString(deterministic=True)
        if key not in self._names:
            self._names[key] = content.name = f"weights/{len(self.tensors)}/{tensor.name}"
            self.tensors.append(content)
        return self._names[key]


def _traced(network: PixelsToEmbeddings, height: int, width: int) -> GraphProto:
    """Convert one branch, whose outputs have the embeddings' names."""
    images = torch.zeros(_EXAMPLES, height, width, 3, dtype=torch.uint8)
    with torch.no_grad():
        program = torch.onnx.export(
            network.eval(),
            (images,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim(_BATCH)},),
            input_names=[IMAGES],
            output_names=list(network.model.embedding_dims),
            verbose=False,
        )
    assert program is not None
    traced = program.model_proto
    assert not traced.functions, "what comes from torch has its functions expanded"
    return traced.graph


def _nodes(branch: GraphProto, prefix: str, weights: _Weights) -> list[NodeProto]:
    """Return a branch's nodes, with names that no other branch has; its weights go to those of the graph."""
    names = {tensor.name: weights.add(tensor) for tensor in branch.initializer} | {IMAGES: IMAGES, "": ""}
    nodes = []
    for number, node in enumerate(branch.node):
        assert not any(attribute.HasField("g") for attribute in node.attribute), "no branch has branches"
        renamed = NodeProto()
        renamed.CopyFrom(node)
        for field in ("input", "output"):
            values = [names.get(name, f"{prefix}/{name}") for name in getattr(node, field)]
            renamed.ClearField(field)
            getattr(renamed, field).extend(values)
        renamed.name = f"{prefix}/{number}"
        for field in ("metadata_props", "doc_string"):  # which name files of the machine that converts
            renamed.ClearField(field)
        nodes.append(renamed)
    return nodes


def _choice(branches: Mapping[Modality, list[NodeProto]], dims: Mapping[str, int]) -> NodeProto:
    """One node that computes the branch of the spectrum which `infrared` names."""
    then_branch, else_branch = (
        helper.make_graph(branches[modality], modality.group, [], _embeddings(dims, f"{modality.group}/"))
        for modality in (Modality.INFRARED, Modality.VISIBLE)
    )
    return helper.make_node("If", [INFRARED], list(dims), then_branch=then_branch, else_branch=else_branch)


def _renamed(dims: Mapping[str, int]) -> list[NodeProto]:
    """Nodes that name the embeddings of the only branch as the graph's outputs."""
    return [helper.make_node("Identity", [f"{Modality.VISIBLE.group}/{name}"], [name]) for name in dims]


def _embeddings(dims: Mapping[str, int], prefix: str = "") -> list[ValueInfoProto]:
    return [
        helper.make_tensor_value_info(prefix + name, TensorProto.FLOAT, [_BATCH, dim])
        for name, dim in dims.items()
    ]
