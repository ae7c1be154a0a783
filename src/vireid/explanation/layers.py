"""The layers of a method by name: `stage1` to `stage4` of its trunk, or any module."""

from collections.abc import Sequence
from difflib import get_close_matches

from torch import nn

from vireid.backbones.trunks import Trunk
from vireid.backbones.two_stream import TwoStream
from vireid.data.records import Modality
from vireid.support.errors import UserError

_SUGGESTED = 5


def default_layers(method: nn.Module) -> list[str]:
    """Name the stages of the trunk that both modalities share, or all stages where they share none.

    Raises:
        UserError: If the method is built without a trunk of ours.
    """
    stages, separate = _stages(method, Modality.VISIBLE), _separate_stages(method)
    if not stages:
        raise UserError(
            "--layer",
            "the method has no trunk whose stages could be taken",
            expected="the name of a module",
            found="none",
            remedy=f"name one at or below {', '.join(name for name, _ in method.named_children())}",
        )
    names = _stage_names(stages)
    return names[separate:] or names


def find_layer(method: nn.Module, name: str, modality: Modality) -> nn.Module:
    """Find the module whose output is explained in pictures of one modality.

    Args:
        method: The model.
        name: `stage1` ... `stage4`, or a module's path as `named_modules` has it.
        modality: Of the picture; stages before the first shared one are separate modules.

    Raises:
        UserError: If there is no such layer.
    """
    stages = _stages(method, modality)
    modules = dict(method.named_modules()) | dict(zip(_stage_names(stages), stages, strict=True))
    del modules[""]  # the method itself
    if name not in modules:
        close = get_close_matches(name, modules, _SUGGESTED)
        children = ", ".join(child for child, _ in method.named_children())
        expected = ", ".join([*_stage_names(stages), f"or a module at or below {children}"])
        raise UserError(
            "--layer",
            "the model has no such layer",
            expected=expected,
            found=name,
            remedy=f"did you mean {' or '.join(close)}?" if close else "name one of these",
        )
    return modules[name]


def sharing(method: nn.Module, names: Sequence[str]) -> list[str]:
    """Say of each layer whether it is `shared` by the modalities or `separate`; nothing where it is no stage."""
    separate = _separate_stages(method)
    stages = _stage_names(_stages(method, Modality.VISIBLE))
    words = dict(zip(stages, ["separate"] * separate + ["shared"] * (len(stages) - separate), strict=True))
    return [words.get(name, "") for name in names]


def _stage_names(stages: Sequence[nn.Module]) -> list[str]:
    return [f"stage{number}" for number in range(1, len(stages) + 1)]


def _trunk(method: nn.Module) -> TwoStream | Trunk | None:
    """Find the trunk; a two-stream one comes before the two that it is made of."""
    return next((module for module in method.modules() if isinstance(module, TwoStream | Trunk)), None)


def _separate_stages(method: nn.Module) -> int:
    trunk = _trunk(method)
    return len(trunk.separate[0].stages) if isinstance(trunk, TwoStream) else 0


def _stages(method: nn.Module, modality: Modality) -> list[nn.Module]:
    trunk = _trunk(method)
    if trunk is None:
        return []
    if isinstance(trunk, TwoStream):
        return [*trunk.separate[modality].stages, *trunk.shared]
    return list(trunk.stages)
