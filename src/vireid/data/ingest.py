"""Pack a data set's image files into `images.h5`, with several threads and in a fixed order."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby, islice, takewhile
from pathlib import Path
from threading import Event

import numpy as np

from vireid.data.decode import Decoded, decode, quiet_pillow
from vireid.data.formats import NAMED
from vireid.data.looks import Look
from vireid.data.records import ImageRecord
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import ImagesInfo, create_images
from vireid.params import Dataset, Ingest
from vireid.support.errors import UserError
from vireid.support.progress import progress

_IMAGES_PER_TASK = 32
_TASKS_PER_WORKER = 3  # in memory at a time: done, being decoded, waiting


@dataclass(frozen=True)
class Packed:
    """What went into `images.h5`.

    Attributes:
        records: Every image that was packed, in the file's order.
        digests: Their files' SHA-256, in the same order.
        looks: Their sizes in the files and what is wrong with them, in the same order.
        skipped: Unreadable images that were left out, and why.
        source_hash: SHA-256 over every file's name, identity, split and bytes; a manifest's other columns too.
    """

    records: list[ImageRecord]
    digests: list[bytes]
    looks: list[Look]
    skipped: dict[str, str]
    source_hash: str


def pack_images(
    records: list[ImageRecord],
    dataset: Dataset,
    settings: Ingest,
    workers: int,
    output: Path,
    *,
    described: bool = False,
) -> Packed:
    """Decode, resize and pack images; the file's bytes do not depend on the number of workers.

    Args:
        records: What to pack, grouped by split and modality.
        dataset: Name and root of the data set, and how its 16-bit images are read.
        settings: Size in pixels, and whether an unreadable image is an error or skipped.
        workers: Number of decoding threads.
        output: The images file to create.
        described: Whether a list says of each image what it is: then that is part of the source's hash.

    Raises:
        UserError: If an image cannot be read and `settings.on_bad_image` is `error`, or if skipping such images
            would leave a camera without one.
    """
    root, digest = Path(dataset.root), hashlib.sha256()
    packed: list[ImageRecord] = []
    digests: list[bytes] = []
    looks: list[Look] = []
    skipped: dict[str, str] = {}
    scaling = Scaling.chosen(dataset.sixteen_bit)
    info = ImagesInfo(
        dataset.name,
        dataset.trial,
        settings.height,
        settings.width,
        source_hash="",
        sixteen_bit=str(scaling),
    )
    with (
        quiet_pillow(),
        create_images(output, info) as writer,
        progress("ingest", len(records), "images") as bar,
    ):
        for task, results in _decode_all(root, records, settings, scaling, workers):
            images = []
            for record, decoded in zip(task, results, strict=True):
                digest.update(_identified(record, described).encode() + decoded.digest)
                if decoded.image is None or decoded.look is None:
                    skipped[record.name] = _skip(root / record.name, str(decoded.problem), settings.on_bad_image)
                    continue
                images.append(decoded.image)
                packed.append(record)
                digests.append(decoded.digest)
                looks.append(decoded.look)
            if images:
                writer.append(packed[-len(images) :], np.stack(images))
            bar.advance(len(task))
        writer.set_source_hash(digest.hexdigest())
        _check_cameras(root, records, packed)
    return Packed(packed, digests, looks, skipped, digest.hexdigest())


def _identified(record: ImageRecord, described: bool) -> str:
    """Say what an image is taken for, for the hash: all of it where its camera does not follow from its name."""
    text = f"{record.name}|{record.pid}|{record.split}|"
    if described:
        text += f"{record.camid}|{record.modality.group}|{record.location}|"
    return text


def _skip(path: Path, problem: str, on_bad_image: str) -> str:
    if on_bad_image == "error":
        raise UserError(
            path,
            "an image that cannot be read",
            expected=f"a {NAMED} image",
            found=problem,
            remedy="replace the file, or set ingest.on_bad_image: skip",
        )
    return problem


def _check_cameras(root: Path, listed: list[ImageRecord], kept: list[ImageRecord]) -> None:
    """Refuse to leave out all images of a camera in a split."""
    before, after = ({(r.split, r.modality, r.camid) for r in records} for records in (listed, kept))
    if before != after:
        split, modality, camid = min(before - after)
        raise UserError(
            root,
            f"no {split} image of {modality.group} camera {camid} can be read",
            expected="a few unreadable images at most, for ingest.on_bad_image: skip",
            found=f"{len(listed) - len(kept)} of {len(listed)} images that cannot be read",
            remedy="replace the files; an interrupted copy or unpacking may have cut them short",
        )


def _decode_all(
    root: Path, records: list[ImageRecord], settings: Ingest, scaling: Scaling, workers: int
) -> Iterator[tuple[list[ImageRecord], list[Decoded]]]:
    """Decode in parallel and yield in order; only a few tasks per worker are in memory at any time.

    Threads are enough: Pillow and hashlib let go of the interpreter's lock while they work.
    """
    tasks, stopped = _tasks(records), Event()

    def work(task: list[ImageRecord]) -> list[Decoded]:
        # After an error or Ctrl-C nobody asks for the rest.
        running = takewhile(lambda _: not stopped.is_set(), task)
        return [decode(root / record.name, settings.height, settings.width, scaling) for record in running]

    with ThreadPoolExecutor(workers) as pool:

        def submit(task: list[ImageRecord]) -> tuple[list[ImageRecord], Future[list[Decoded]]]:
            return task, pool.submit(work, task)

        pending = deque(submit(task) for task in islice(tasks, _TASKS_PER_WORKER * workers))
        try:
            while pending:
                task, future = pending.popleft()
                results = future.result()
                pending.extend(submit(following) for following in islice(tasks, 1))
                yield task, results
        finally:
            stopped.set()
            pool.shutdown(cancel_futures=True)


def _tasks(records: list[ImageRecord]) -> Iterator[list[ImageRecord]]:
    """Cut the records into tasks that agree in split and modality."""
    for _, group in groupby(records, key=lambda record: (record.split, record.modality)):
        while task := list(islice(group, _IMAGES_PER_TASK)):
            yield task
