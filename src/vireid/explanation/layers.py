"""The layers of a model by name: those that it says are worth a look, or any module."""

from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from vireid.data.records import Modality
from vireid.methods.base import Embedder
from vireid.support.errors import UserError

_SUGGESTED = 5


def default_layers(model: Embedder) -> list[str]:
    """Name the layers that both modalities share, or all that are worth a look where they share none.

    Raises:
        UserError: If the model names no layer.
    """
    kinds = _kinds(model)
    if not kinds:
        raise UserError(
            "--layer",
            "the method names no layers to explain",
            expected="the name of a module",
            found="none",
            remedy=f"name one at or below {', '.join(name for name, _ in model.named_children())}",
        )
    return [name for name, kind in kinds.items() if kind == "shared"] or list(kinds)


def find_layer(model: Embedder, name: str, modality: Modality) -> nn.Module:
    """Find the module whose output is explained in pictures of one modality.

    Args:
        model: The model.
        name: One that the model names, as `stage1` ... `stage4`, or a module's path as `named_modules` has it.
        modality: Of the picture; layers that are not shared are separate modules.

    Raises:
        UserError: If there is no such layer.
    """
    named = model.explained_layers(modality)
    modules = dict(model.named_modules()) | named
    del modules[""]  # the model itself
    if name not in modules:
        close = get_close_matches(name, modules, _SUGGESTED)
        children = ", ".join(child for child, _ in model.named_children())
        raise UserError(
            "--layer",
            "the model has no such layer",
            expected=", ".join([*named, f"or a module at or below {children}"]),
            found=name,
            remedy=f"did you mean {' or '.join(close)}?" if close else "name one of these",
        )
    return modules[name]


def sharing(model: Embedder, names: Sequence[str]) -> list[str]:
    """Say of each layer whether it is `shared` by the modalities or `separate`; nothing of other modules."""
    kinds = _kinds(model)
    return [kinds.get(name, "") for name in names]


def _kinds(model: Embedder) -> dict[str, str]:
    visible, infrared = (model.explained_layers(modality) for modality in Modality)
    return {name: "shared" if layer is infrared[name] else "separate" for name, layer in visible.items()}
