"""The user's own pictures: which there are, what is known of them, and reading them without a silent loss."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vireid.data.decode import Decoded, decode, quiet_pillow
from vireid.data.formats import NAMED
from vireid.data.records import Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.tree import read_tree
from vireid.datasets import folder_tree, manifest
from vireid.support.errors import UserError

UNKNOWN_PID = -1


@dataclass(frozen=True)
class Picture:
    """One picture of a folder.

    Attributes:
        name: Path relative to the folder, POSIX style.
        pid: Identity by the folder's manifest, or `UNKNOWN_PID`.
        modality: Spectrum by the manifest, or None.
    """

    name: str
    pid: int = UNKNOWN_PID
    modality: Modality | None = None


def find_pictures(root: Path) -> list[Picture]:
    """List a folder's pictures: those of its `manifest.csv`, or else all image files below it.

    Raises:
        UserError: If there is no such folder, no picture in it, or the manifest is wrong.
    """
    if not root.is_dir():
        remedy = "name a folder of pictures"
        raise UserError(root, "no such folder", expected="a folder", found="nothing", remedy=remedy)
    tree = read_tree(root)
    if manifest.FILE in tree:
        return [Picture(record.name, record.pid, record.modality) for record in manifest.read_manifest(tree)]
    pictures = [Picture(name) for name in folder_tree.image_names(tree)]
    if not pictures:
        raise UserError(
            root,
            "no picture in the folder",
            expected=f"{NAMED} files in it or below it",
            found=folder_tree.none_found(tree),
            remedy="name the folder that holds the pictures",
        )
    return pictures


def passed_over(root: Path) -> str:
    """Say which pictures of a folder are not read, as `folder_tree.passed_over`; a manifest names all it means."""
    tree = read_tree(root)
    return "" if manifest.FILE in tree else folder_tree.passed_over(tree)


def known(root: Path, paths: Sequence[Path]) -> list[Picture]:
    """Look single files up in a folder's manifest; what is not there is unknown."""
    pictures = find_pictures(root) if (root / manifest.FILE).is_file() else []
    by_path = {(root / picture.name).resolve(): picture for picture in pictures}
    return [by_path.get(path.resolve(), Picture(path.as_posix())) for path in paths]


def decode_batches(
    paths: Sequence[Path], height: int, width: int, scaling: Scaling, batch_size: int, workers: int
) -> Iterator[list[Decoded]]:
    """Decode files batch by batch in threads, one batch ahead of the reader."""
    with quiet_pillow(), ThreadPoolExecutor(workers) as pool:

        def submit(start: int) -> list:
            return [
                pool.submit(decode, path, height, width, scaling) for path in paths[start : start + batch_size]
            ]

        ahead = submit(0)
        for start in range(0, len(paths), batch_size):
            batch, ahead = ahead, submit(start + batch_size)
            yield [future.result() for future in batch]


def require_readable(paths: Sequence[Path], height: int, width: int, scaling: Scaling) -> None:
    """Check that files can be decoded, before work begins that would be lost.

    Raises:
        UserError: If one cannot be.
    """
    for path in paths:
        with quiet_pillow():
            problem = decode(path, height, width, scaling).problem
        if problem is not None:
            raise unreadable(path, problem, "name another picture")


def unreadable(path: Path, problem: str, remedy: str) -> UserError:
    """Say that a picture cannot be read."""
    return UserError(
        path,
        "a picture that cannot be read",
        expected=f"a {NAMED} image",
        found=problem,
        remedy=remedy,
    )
