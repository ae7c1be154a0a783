"""Where a training run keeps its state, so that a killed one goes on and ends with the same weights.

The state is no DVC output: DVC deletes outputs before a stage runs. It lies in `.ckpt/<key>/` in the project's
root, keyed by everything that decides the weights, so that a run with other parameters never resumes it.
"""

import hashlib
import json
import os
import shutil
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError  # only its name: nothing is unpickled
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout

from vireid.support.errors import UserError
from vireid.support.files import replacing, sha256

_PACKAGE = Path(__file__).resolve().parents[1]
# The code that decides the weights of every method; the method's own room comes on top.
_CODE = ("backbones/*.py", "compute.py", "data/*.py", "losses/*.py", "methods/*.py", "training/*.py")


class ResumePoint:
    """The saved state of one training run, locked against a second run of the same.

    Use as a context manager: holds the lock inside the `with`.

    Args:
        parameters: Everything in `params.yaml` that decides the weights, `method` among it.
        inputs: Files that do.
    """

    def __init__(self, parameters: dict[str, Any], inputs: list[Path]):
        key = {
            "parameters": parameters,
            "inputs": [sha256(path) for path in inputs],
            "code": _code_hash(f"methods/{parameters['method']}/**/*.py"),
            "libraries": [torch.__version__, np.__version__],
        }
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = Path(os.environ.get("DVC_ROOT", ".")) / ".ckpt" / name
        self._state = self.folder / "last.pt"
        self._lock = FileLock(self.folder.with_suffix(".lock"))

    def __enter__(self) -> "ResumePoint":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise UserError(
                self.folder,
                "this very training is already running",
                expected="one process per run",
                found="another one that holds its lock",
                remedy="wait for it, or stop it with Ctrl-C; an orphan is found with `ps`",
            ) from error
        return self

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    @property
    def anew(self) -> str:
        """How to begin this training again, for messages; the state may be sound, so it is not deleted."""
        return f"move the folder {self.folder} elsewhere to start this training anew"

    def load(self) -> dict[str, Any] | None:
        """Return the last saved state, or None at a fresh start."""
        if not self._state.is_file():
            return None
        try:
            return torch.load(self._state, map_location="cpu", weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError) as error:
            raise UserError(
                self._state,
                "the state of an interrupted training cannot be read",
                expected="what this training saved after its last epoch",
                found=error,
                remedy=f"{self.anew}; if memory was short, free some and run again",
            ) from error

    def save(self, state: dict[str, Any]) -> None:
        """Save the state whole, in place of the one before."""
        content = BytesIO()
        torch.save(state, content)
        with replacing(self._state) as partial, partial.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())

    def clear(self) -> None:
        """Forget the state, once the run's results are written."""
        shutil.rmtree(self.folder)


def _code_hash(method: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in (*_CODE, method) for path in _PACKAGE.glob(pattern)):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
