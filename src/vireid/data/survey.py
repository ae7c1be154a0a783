"""What the image files of a data set are like, without packing them."""

from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vireid.data.decode import decode, native_size, quiet_pillow
from vireid.data.looks import Look
from vireid.data.records import ImageRecord
from vireid.data.sixteen_bit import Scaling
from vireid.support.files import sha256
from vireid.support.progress import track

_SIZE = 64  # pixels of a decoded image that nobody keeps
_NAMED = 3  # unreadable files of a message


@dataclass(frozen=True)
class Surveyed:
    """What is known of one image file.

    Attributes:
        digest: A hash of its bytes; what cannot be read has its own name.
        look: Its size, and where it was decoded what is wrong with it; None where it cannot be read.
        problem: Why it cannot be read, or None.
    """

    digest: Hashable
    look: Look | None
    problem: str | None


def survey(root: Path, records: Sequence[ImageRecord], scaling: Scaling | None) -> list[Surveyed]:
    """Look at image files in threads, behind a progress bar.

    Args:
        root: The data set.
        records: Its images.
        scaling: How to decode those of 16 bits; None decodes nothing: the files are hashed and their headers read.
    """
    look_at: Callable[[Path], Surveyed] = _read if scaling is None else partial(_decode, scaling=scaling)
    doing = "compare" if scaling is None else "decode"
    paths = [root / record.name for record in records]
    with quiet_pillow(), ThreadPoolExecutor() as pool:
        return list(track(pool.map(look_at, paths), doing, len(paths), "images"))


def _read(path: Path) -> Surveyed:
    if not path.is_file():
        return Surveyed(path, None, "no file")
    digest = sha256(path)
    try:
        return Surveyed(digest, Look(*native_size(path)), None)
    except ValueError as error:
        return Surveyed(digest, None, str(error))


def _decode(path: Path, scaling: Scaling) -> Surveyed:
    decoded = decode(path, _SIZE, _SIZE, scaling)
    return Surveyed(path if decoded.look is None else decoded.digest, decoded.look, decoded.problem)


def unreadable_files(records: Sequence[ImageRecord], surveyed: Sequence[Surveyed]) -> list[str]:
    """Say how many files cannot be read, and why the first ones cannot: one sentence, or none."""
    bad = [(r.name, item.problem) for r, item in zip(records, surveyed, strict=True) if item.problem is not None]
    if not bad:
        return []
    shown = ", ".join(f"{name} ({problem})" for name, problem in bad[:_NAMED])
    return [f"files that are empty or cannot be read: {len(bad):,}; the first: {shown}"]
