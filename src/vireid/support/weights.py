"""Loading weights that must fit a module exactly, with a message that can be read where they do not."""

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from vireid.support.errors import UserError

_SHOWN = 10
_COUNTER = "num_batches_tracked"  # of batch normalisation
_WRAPPERS = {"module": "as DataParallel saves them", "_orig_mod": "as torch.compile saves them"}


def load_weights(module: nn.Module, state: Mapping[str, Tensor], where: object, remedy: str) -> None:
    """Load all weights and buffers of a module.

    Args:
        module: Whose they shall be.
        state: By the names of `module.state_dict()`.
        where: Where they come from, for the message.
        remedy: What to do if they do not fit.

    Raises:
        UserError: If a name is missing or unknown, or a shape is another one. At most ten of a kind are named.
    """
    expected = module.state_dict()
    prefix = _common_prefix(expected, state)
    if prefix:
        wrapper = _WRAPPERS.get(prefix, "from a module around it")
        raise _misfit(
            where,
            module,
            f"all keys begin with `{prefix}.`, {wrapper}",
            f"take `{prefix}.` off every key, and save the weights again",
        )
    other_shapes = [
        f"{name} {tuple(value.shape)} for {tuple(expected[name].shape)}"
        for name, value in state.items()
        if name in expected and value.shape != expected[name].shape
    ]
    faults = {
        "missing": expected.keys() - state.keys(),
        "unknown": state.keys() - expected.keys(),
        "of another shape": other_shapes,
    }
    told = [f"{len(names)} {kind}: {listed(names)}" for kind, names in faults.items() if names]
    if told:
        raise _misfit(where, module, "; ".join(told), remedy)
    module.load_state_dict(state, strict=True)


def with_counters(module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Add the module's counters of batches to the weights of an old file, which has none of them."""
    if any(name.endswith(_COUNTER) for name in state):
        return dict(state)
    return {name: value for name, value in module.state_dict().items() if name.endswith(_COUNTER)} | dict(state)


def listed(names: Collection[str]) -> str:
    """Name at most ten, in alphabetical order, and say how many more there are."""
    shown, more = sorted(names)[:_SHOWN], len(names) - _SHOWN
    return ", ".join(shown) + (f", and {more} more" if more > 0 else "")


def _common_prefix(expected: Collection[str], state: Collection[str]) -> str:
    """Name the first part of every key, if the keys would fit without it."""
    first = next(iter(state), "").partition(".")[0]
    fits = {name.removeprefix(f"{first}.") for name in state} == set(expected)
    return first if fits and all(name.startswith(f"{first}.") for name in state) else ""


def _misfit(where: object, module: nn.Module, found: str, remedy: str) -> UserError:
    return UserError(
        where,
        "the weights do not fit the model",
        expected=f"the {len(module.state_dict())} weights and buffers of {type(module).__name__}",
        found=found,
        remedy=remedy,
    )
