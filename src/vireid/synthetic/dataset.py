"""The embedded data set on disk, in one of the layouts of `layouts.LAYOUTS`; the default is SYSU-MM01's."""

import hashlib
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from vireid.data.records import Modality
from vireid.support.errors import UserError
from vireid.support.files import replacing
from vireid.support.progress import Bar, progress
from vireid.synthetic.layouts import LAYOUTS
from vireid.synthetic.photographer import photograph, prepare

LEAST = {
    "seed": 0,
    "train_ids": 1,
    "val_ids": 1,
    "test_ids": 1,
    "visible_images": 1,
    "infrared_images": 1,
    "height": 64,
    "width": 32,
}
TALLEST = 384
"""Twice the default: scenes and sensor noise are not made for taller images."""


@dataclass(frozen=True)
class Settings:
    """What is drawn. Two equal settings give the same bytes.

    Attributes:
        seed: Chooses the world: its people, places and photographs.
        train_ids, val_ids, test_ids: Numbers of identities, numbered from 1 in this order.
        visible_images, infrared_images: Images of an identity by each visible and each infrared camera; None for
            as many as suit the layout.
        height, width: Size of an image in pixels.
        layout: Key of `LAYOUTS`: cameras, folders and split files.
    """

    seed: int = 2026
    train_ids: int = 400
    val_ids: int = 40
    test_ids: int = 40
    visible_images: int | None = None
    infrared_images: int | None = None
    height: int = 192
    width: int = 96
    layout: str = "sysu_mm01"

    def __post_init__(self) -> None:
        _require("layout", self.layout, f"one of {', '.join(LAYOUTS)}", self.layout in LAYOUTS)
        for name, least in LEAST.items():
            value = getattr(self, name)
            _require(name, value, f"at least {least}", value is None or value >= least)
        _require("height", self.height, f"at most {TALLEST}", self.height <= TALLEST)
        _require("width", self.width, f"at most the height, {self.height}", self.width <= self.height)

    @property
    def num_ids(self) -> int:
        """Identities in all splits together."""
        return self.train_ids + self.val_ids + self.test_ids

    @property
    def num_images(self) -> int:
        """Images in all splits together."""
        return self.num_ids * sum(self.images[view.modality] for view in LAYOUTS[self.layout].views)

    @property
    def images(self) -> dict[Modality, int]:
        """Images of one identity by each camera of a spectrum."""
        asked = {Modality.VISIBLE: self.visible_images, Modality.INFRARED: self.infrared_images}
        return {m: LAYOUTS[self.layout].images[m] if count is None else count for m, count in asked.items()}

    def splits(self) -> dict[str, range]:
        """Identities by the name of the list they stand in; `available` holds all of them."""
        train_end, val_end = self.train_ids + 1, self.train_ids + self.val_ids + 1
        return {
            "train": range(1, train_end),
            "val": range(train_end, val_end),
            "test": range(val_end, self.num_ids + 1),
            "available": range(1, self.num_ids + 1),
        }


def synthesize(root: Path, settings: Settings, workers: int) -> None:
    """Draw the data set into a new folder, which appears only when it is complete.

    Args:
        root: The folder to make.
        settings: What to draw.
        workers: Processes to draw with; they change the time it takes and nothing else.

    Raises:
        UserError: If `root` exists already.
    """
    if root.exists() or root.is_symlink():
        raise UserError(
            root,
            "there is something already",
            expected="a folder that does not exist yet",
            found="a symbolic link" if root.is_symlink() else "a folder" if root.is_dir() else "a file",
            remedy=f"remove it (rm -r {root}) or give another folder; existing files are never overwritten",
        )
    with replacing(root) as partial_root:
        for name, content in (
            LAYOUTS[settings.layout].lists(settings.splits(), settings.images, settings.seed).items()
        ):
            (partial_root / name).parent.mkdir(parents=True, exist_ok=True)
            (partial_root / name).write_text(content, encoding="ascii")
        with progress("synthesize", settings.num_images, "images") as bar:
            _draw_all(partial_root, settings, workers, bar)


def folder_md5(root: Path) -> str:
    """Hash a folder as DVC does, so that it can be compared with the `md5` of a .dvc file.

    Args:
        root: The folder; files below it are read, empty folders do not count.

    Returns:
        32 hexadecimal digits and ".dir".
    """
    entries = [
        {"md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), "relpath": name}
        for name, path in sorted(
            (path.relative_to(root).as_posix(), path) for path in root.rglob("*") if path.is_file()
        )
    ]
    return hashlib.md5(json.dumps(entries).encode(), usedforsecurity=False).hexdigest() + ".dir"


def _require(name: str, value: object, expected: str, holds: bool) -> None:
    if not holds:
        raise UserError(name, "cannot be drawn", expected=expected, found=value, remedy="choose another value")


def _draw_all(root: Path, settings: Settings, workers: int, bar: Bar) -> None:
    pids = settings.splits()["available"]
    draw = partial(_draw_identity, root, settings)
    for count in map(draw, pids) if workers <= 1 else _in_processes(draw, pids, workers):
        bar.advance(count)


def _in_processes(draw: partial[int], pids: range, workers: int) -> Iterator[int]:
    """Yield the results of `draw` as they come; an error in one process stops the others."""
    # Ctrl-C reaches every process; only this one shall answer it.
    ignore_interrupt = signal.SIGINT, signal.SIG_IGN
    with ProcessPoolExecutor(
        workers, mp_context=get_context("spawn"), initializer=signal.signal, initargs=ignore_interrupt
    ) as pool:
        try:
            for done in as_completed([pool.submit(draw, pid) for pid in pids]):
                yield done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _draw_identity(root: Path, settings: Settings, pid: int) -> int:
    """Write every image of one identity and return how many there are."""
    sitter, layout = prepare(settings.seed, pid), LAYOUTS[settings.layout]
    tested, size = pid in settings.splits()["test"], (settings.height, settings.width)
    count = 0
    for view in layout.views:
        for number in range(1, settings.images[view.modality] + 1):
            path = root / layout.name(view, pid, number, tested)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(photograph(sitter, view.camera, size, settings.seed, (pid, number)))
            count += 1
    return count
