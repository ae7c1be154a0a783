"""Files of weights that users have: named with their hash, and read without running code from them."""

import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from pydantic_core import PydanticCustomError
from safetensors.torch import load_file
from torch import Tensor

from vireid.support.errors import UserError
from vireid.support.files import sha256
from vireid.support.weights import listed

_HASHED_FILE = re.compile(r"(?P<path>.+)#sha256=(?P<sha256>[0-9a-f]{64})")
_ENTRIES = ("state_dict", "model")  # below which programs save weights, beside an epoch, scores and an optimiser
_WRAPPERS = re.compile(r"(?:module\.|_orig_mod\.)+")  # before each key of DataParallel and torch.compile
_UNSAFE = re.compile(r"GLOBAL (\S+)")
# Plain numbers of numpy, which scores beside the weights often are; named as numpy 1 and as numpy 2 name it.
_KINDS = np.typecodes["AllInteger"] + np.typecodes["Float"]
_MAKE_NUMBER = np.float64().__reduce__()[0]
_NUMBERS: list[Any] = [
    (_MAKE_NUMBER, "numpy.core.multiarray.scalar"),
    (_MAKE_NUMBER, "numpy._core.multiarray.scalar"),
    np.dtype,
    *{type(np.dtype(kind)) for kind in _KINDS},
]


def require_hashed_file(text: str) -> str:
    """Let a file pass that is named with its hash, which makes other weights another parameter to DVC.

    Raises:
        PydanticCustomError: If it is not `PATH#sha256=HASH`.
    """
    if not _HASHED_FILE.fullmatch(text):
        raise PydanticCustomError("weights", "PATH#sha256=HASH, with the 64 digits of `sha256sum PATH`")
    return text


def hashed_file(text: str, key: str, instead: str) -> tuple[Path, str]:
    """Find a file that is named with its hash, and check the hash.

    Args:
        text: `PATH#sha256=HASH`.
        key: The parameter whose value that is.
        instead: What to do without the file, for the message.

    Returns:
        The path and the hash.

    Raises:
        UserError: If there is no such file, or it has another hash.
    """
    match = _HASHED_FILE.fullmatch(text)
    assert match is not None, text
    path = Path(match["path"])
    if not path.is_file():
        raise UserError(
            path,
            "there is no such file of pretrained weights",
            expected=f"the file that {key} names; a relative path begins where the stage runs",
            found="nothing" if not path.exists() else "no file",
            remedy=f"correct the path, or {instead}",
        )
    check_hash(path, match["sha256"], f"correct {key} if these are the weights you mean")
    return path, match["sha256"]


def check_hash(path: Path, expected: str, remedy: str) -> None:
    """Refuse a file of another hash.

    Raises:
        UserError: If its SHA-256 is not `expected`.
    """
    found_hash = sha256(path)
    if found_hash != expected:
        raise UserError(path, "not the weights expected", expected=expected, found=found_hash, remedy=remedy)


def read_state(path: Path, remedy: str) -> dict[str, Tensor]:
    """Read a safetensors file or one of torch.save, without running code from it.

    Weights may stand below an entry `state_dict` or `model`, with other entries beside it, and each of their names
    behind the prefix of a wrapper of PyTorch's, which is taken off.

    Raises:
        UserError: If it holds no tensors by name.
    """
    try:
        content = load_file(path) if path.suffix == ".safetensors" else _unpickled(path)
    except UnpicklingError as error:
        unsafe = _UNSAFE.search(str(error))
        told = f"a pickle with {unsafe[1]}, which only its own code could read" if unsafe else "another pickle"
        raise _unreadable(path, told, remedy) from error
    except Exception as error:  # reading a pickle by another file's bytes may raise anything
        raise _unreadable(path, f"{type(error).__name__}: {error}", remedy) from error
    if isinstance(content, Mapping):
        content = next((content[name] for name in _ENTRIES if isinstance(content.get(name), Mapping)), content)
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise _unreadable(path, _described(content), remedy)
    return _unwrapped(content)


def _unpickled(path: Path) -> Any:
    with torch.serialization.safe_globals(_NUMBERS):
        return torch.load(path, map_location="cpu", weights_only=True)


def _unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the prefix of wrappers off, if all names have it."""
    match = _WRAPPERS.match(next(iter(state), ""))
    if match is None or not all(name.startswith(match[0]) for name in state):
        return dict(state)
    return {name.removeprefix(match[0]): value for name, value in state.items()}


def _described(content: object) -> str:
    """Say what a file holds instead of tensors by name."""
    if not isinstance(content, Mapping):
        return f"one {type(content).__name__}"
    kinds = {name: type(value).__name__ for name, value in content.items() if not isinstance(value, Tensor)}
    others = [f"{name} ({kind})" for name, kind in kinds.items()]
    return f"entries that are no tensors: {listed(others)}" if others else "tensors by other keys than names"


def _unreadable(path: Path, found: str, remedy: str) -> UserError:
    expected = "tensors by name, as of torch.save(network.state_dict(), PATH) or safetensors"
    return UserError(path, "no weights can be read", expected=expected, found=found, remedy=remedy)
