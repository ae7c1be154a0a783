"""The pictures to explain: from files, or by name or identity from `images.h5`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from vireid.data.decode import decode, quiet_pillow
from vireid.data.records import SPLITS, ImageRecord, Modality
from vireid.data.sixteen_bit import Scaling
from vireid.data.store import ImageReader
from vireid.search.pictures import unreadable
from vireid.support.errors import UserError


@dataclass(frozen=True)
class Subject:
    """One picture to explain.

    Attributes:
        image: (H, W, 3) uint8 RGB, of the size that the model sees.
        modality: Its spectrum.
        name: Its file, or its name in the images file.
        source: Whom it shows and which camera took it, where that is known.
        seen: Whether the model was trained on this person's pictures, as far as is known.
    """

    image: np.ndarray
    modality: Modality
    name: str
    source: str = ""
    seen: bool = False


Pair = dict[Modality, Subject]
"""A visible and an infrared picture that are compared with each other, or one picture alone."""


@dataclass(frozen=True)
class Asked:
    """What the user named.

    Attributes:
        names: Images of the data set.
        visible: Files.
        infrared: Files.
        pids: Identities of the data set.
    """

    names: Sequence[str]
    visible: Sequence[Path]
    infrared: Sequence[Path]
    pids: Sequence[int]

    @property
    def of_data_set(self) -> bool:
        """Whether the images file is needed."""
        return bool(self.names or self.pids)

    def check(self, images: Path) -> None:
        """Check that something was named, and that no file is taken for an image of the data set.

        Args:
            images: The images file, which may be missing.

        Raises:
            UserError: If nothing was, or the data set's images are not there to tell which name is one.
        """
        if not (self.of_data_set or self.visible or self.infrared):
            raise UserError(
                "vireid explain",
                "no picture to explain",
                expected="--pid, --visible and --infrared, or names of the data set's images",
                found="none of these",
                remedy="name a person of the data set, as in: vireid explain --pid 441",
            )
        if not images.is_file():
            for name in filter(_is_file, self.names):
                raise _no_image(name, f"a name in {images}, which is not there")


def gather(
    asked: Asked, reader: ImageReader | None, size: tuple[int, int], scaling: Scaling, seen: Collection[int]
) -> list[Pair]:
    """Read what was asked for, and put in each row a visible picture beside an infrared one.

    Args:
        asked: What was named.
        reader: The images file; None where `asked` does not need it.
        size: (height, width) in pixels that the model sees.
        scaling: How 16-bit files are read, as the data set's were.
        seen: Identities that the model was trained on.

    Raises:
        UserError: If a picture cannot be read or is not in the data set.
    """
    subjects = from_files(asked.visible, Modality.VISIBLE, size, scaling)
    subjects += from_files(asked.infrared, Modality.INFRARED, size, scaling)
    pairs = []
    if reader is not None:
        subjects += from_names(reader, asked.names, seen)
        pairs = from_pids(reader, asked.pids, seen)
    return pairs + pair_up(subjects)


def pair_up(subjects: Sequence[Subject]) -> list[Pair]:
    """Put the first infrared picture beside the first visible one, and so on; what is left over stands alone."""
    by_modality = [[subject for subject in subjects if subject.modality is modality] for modality in Modality]
    return [
        {subject.modality: subject for subject in row if subject is not None} for row in zip_longest(*by_modality)
    ]


def from_files(
    paths: Sequence[Path], modality: Modality, size: tuple[int, int], scaling: Scaling
) -> list[Subject]:
    """Read picture files.

    Args:
        paths: The files.
        modality: Their spectrum.
        size: (height, width) in pixels that the model sees.
        scaling: How 16-bit files are read.

    Raises:
        UserError: If one cannot be read.
    """
    subjects = []
    for path in paths:
        with quiet_pillow():
            decoded = decode(path, *size, scaling)
        if decoded.image is None:
            raise unreadable(path, str(decoded.problem), "name another picture")
        subjects.append(Subject(decoded.image, modality, path.as_posix()))
    return subjects


def from_names(reader: ImageReader, names: Sequence[str], seen: Collection[int]) -> list[Subject]:
    """Take images of a data set by their names.

    Args:
        reader: The images file.
        names: Paths relative to the data set's folder.
        seen: Identities that the model was trained on.

    Raises:
        UserError: If there is no such image.
    """
    records = {record.name: record for record in _records(reader)}
    for name in names:
        if name not in records:
            raise _no_image(name, f"a name relative to its folder, as {next(iter(records))}")
    return [_subject(reader, records[name], seen) for name in names]


def from_pids(reader: ImageReader, pids: Sequence[int], seen: Collection[int]) -> list[Pair]:
    """Take the first visible and the first infrared image of each identity.

    Args:
        reader: The images file.
        pids: Identities as the data set numbers them.
        seen: Identities that the model was trained on.

    Raises:
        UserError: If an identity is not there, or not in both spectra.
    """
    first: dict[tuple[int, Modality], ImageRecord] = {}
    for record in _records(reader):
        first.setdefault((record.pid, record.modality), record)
    pairs = []
    for pid in pids:
        chosen = {modality: first[pid, modality] for modality in Modality if (pid, modality) in first}
        if len(chosen) < len(Modality):
            test = reader.pids("test")
            raise UserError(
                "--pid",
                f"no pictures of identity {pid}" if not chosen else f"identity {pid} is not in both spectra",
                expected=f"an identity with visible and infrared pictures; test identities: {_listed(test)}",
                found=" and ".join(modality.group for modality in chosen) or "none",
                remedy="choose one of these, or name single pictures",
            )
        pairs.append({modality: _subject(reader, record, seen) for modality, record in chosen.items()})
    return pairs


def _no_image(name: str, expected: str) -> UserError:
    return UserError(
        name,
        "no image of the data set has this name",
        expected=expected,
        found="a file whose spectrum is unknown" if _is_file(name) else "nothing of that name",
        remedy="say of a file what it is: --visible FILE or --infrared FILE" if _is_file(name) else "correct it",
    )


def _is_file(name: str) -> bool:
    return Path(name).is_file()


def _records(reader: ImageReader) -> list[ImageRecord]:
    return [
        record for split in reversed(SPLITS) for modality in Modality for record in reader.records(split, modality)
    ]


def _subject(reader: ImageReader, record: ImageRecord, seen: Collection[int]) -> Subject:
    image = reader.pictures(record.split, record.modality, [record.name])[record.name]
    source = f"id {record.pid}, cam {record.camid}"
    return Subject(image, record.modality, record.name, source, record.pid in seen)


def _listed(pids: np.ndarray, most: int = 10) -> str:
    return ", ".join(map(str, pids[:most])) + (", ..." if len(pids) > most else "")
