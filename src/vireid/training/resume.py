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
from vireid.support.files import flush, replacing, sha256
from vireid.support.progress import console

_DIGEST = 32  # bytes of a SHA-256
_PACKAGE = Path(__file__).resolve().parents[1]
# The code that decides the weights of every method; the method's own room comes on top.
_CODE = ("backbones/*.py", "compute.py", "data/*.py", "losses/*.py", "methods/*.py", "training/*.py")


class ResumePoint:
    """The saved states of one training run, locked against a second run of the same.

    The last state and the one before it are kept, each with its SHA-256 behind it. Where the last one is damaged,
    the one before it counts.

    Use as a context manager: holds the lock inside the `with`.

    Args:
        parameters: Everything in `params.yaml` that decides the weights, `method` among it.
        inputs: Files that do.
        owner: Whether this process saves and loads; of processes that train together one does, for all of them.

    Attributes:
        key: What all of this, the code and the libraries come to.
        folder: Of the states.
    """

    def __init__(self, parameters: dict[str, Any], inputs: list[Path], owner: bool = True):
        key = {
            "parameters": parameters,
            "inputs": [sha256(path) for path in inputs],
            "code": _code_hash(f"methods/{parameters['method']}/**/*.py"),
            "libraries": [torch.__version__, np.__version__],
        }
        self.key = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = Path(os.environ.get("DVC_ROOT", ".")) / ".ckpt" / self.key
        self._last, self._before = self.folder / "last.pt", self.folder / "before.pt"
        self._damaged = self.folder / "damaged.pt"
        self._lock, self._owner = FileLock(self.folder.with_suffix(".lock")), owner

    def __enter__(self) -> "ResumePoint":
        if not self._owner:
            return self
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
        if self._owner:
            self._lock.release()

    @property
    def anew(self) -> str:
        """How to begin this training again, for messages; the state may be sound, so it is not deleted."""
        return f"move the folder {self.folder} elsewhere to start this training anew"

    def load(self) -> dict[str, Any] | None:
        """Return the last state that is whole, or None at a fresh start.

        Raises:
            UserError: If there are states and none is whole, or one is and cannot be read all the same.
        """
        problems: list[str] = []
        for path in (self._last, self._before):
            if not path.is_file():
                continue
            content = path.read_bytes()
            state, digest = content[:-_DIGEST], content[-_DIGEST:]
            if hashlib.sha256(state).digest() == digest:
                if problems:
                    console.print(f"damaged: {problems[0]}; going on from the state before it")
                    self._last.replace(self._damaged)  # so that nothing sound is replaced by it
                return self._parsed(path, state)
            problems.append(f"{path}, {len(content):,} bytes whose hash is another one")
        if not problems:
            return None
        raise self._unreadable(self.folder, "; ".join(problems))

    def _parsed(self, path: Path, state: bytes) -> dict[str, Any]:
        try:
            parsed: dict[str, Any] = torch.load(BytesIO(state), map_location="cpu", weights_only=True)
        except (RuntimeError, UnpicklingError, EOFError) as error:
            raise self._unreadable(path, error) from error
        return parsed

    def _unreadable(self, where: Path, found: object) -> UserError:
        return UserError(
            where,
            "the state of an interrupted training cannot be read",
            expected="what this training saved",
            found=found,
            remedy=f"{self.anew}; if memory was short, free some and run again",
        )

    def save(self, state: dict[str, Any]) -> None:
        """Save the state whole; the one before it is kept until then, and still after it."""
        content = BytesIO()
        torch.save(state, content)
        with replacing(self._last, durable=True) as partial:
            with partial.open("wb") as file:
                file.write(content.getbuffer())
                file.write(hashlib.sha256(content.getbuffer()).digest())
            flush(partial)
            if self._last.exists():
                self._last.replace(self._before)

    def clear(self) -> None:
        """Forget the states, once the run's results are written."""
        if self._owner:
            shutil.rmtree(self.folder)


def _code_hash(method: str) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for pattern in (*_CODE, method) for path in _PACKAGE.glob(pattern)):
        digest.update(path.relative_to(_PACKAGE).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
