"""`images.h5`: every image of a data set, decoded and resized once, in four groups of one HDF5 file.

Groups `/train/visible`, `/train/infrared`, `/test/visible`, `/test/infrared`, each with `image` (N, H, W, 3)
uint8 RGB, `pid` (N,) int32, `camid` (N,) int16 and `name` (N,) UTF-8; in data sets that say where each image was
taken also `location` (N,) int16, and with official galleries the test groups `official_places` (N, T) int16. An
overlay (`superresolved.h5`) has the same groups and holds only the images it replaces, matched by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from vireid.data.optional_columns import STORED_OPTIONAL_COLUMNS
from vireid.data.records import OPTIONAL_COLUMNS, SPLITS, ImageRecord, Modality
from vireid.data.stored_images import StoredImages
from vireid.support.errors import UserError
from vireid.support.hdf5 import create_hdf5, ensure_room, open_hdf5, plain
from vireid.support.stored_tables import StoredColumn, StoredTable, read_text

SCHEMA = "vireid.images/1"
_REQUIRED = ("dataset", "trial", "height", "width", "source_hash", "superresolve")
_REMEDY = "run `dvc repro`, which makes it"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ImagesInfo:
    """Root attributes of an images file.

    Attributes:
        dataset: Name under which results are reported.
        trial: Number of the split for data sets that have several, otherwise 0.
        height: Pixels.
        width: Pixels.
        source_hash: SHA-256 over the split and the original files (hexadecimal).
        superresolve: `none`, or what an overlay replaces and by which weights.
        sixteen_bit: How grey images of more than eight bits were read, as `Scaling` writes it. A file need not say
            so; those of the time before it was a parameter were read by their full range.
    """

    dataset: str
    trial: int
    height: int
    width: int
    source_hash: str
    superresolve: str = "none"
    sixteen_bit: str = "full"


@dataclass(frozen=True)
class ImageSet:
    """Images of one split and modality.

    Attributes:
        image: (N, H, W, 3) uint8 RGB, in memory or still in its file.
        pid: (N,) int32.
        camid: (N,) int16.
        name: (N,) str objects, paths relative to the data set's root.
        optional: Those of `OPTIONAL_COLUMNS` that the data set has: name -> (N, ...) int16.
    """

    image: np.ndarray | StoredImages
    pid: np.ndarray
    camid: np.ndarray
    name: np.ndarray
    optional: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pid)

    def select(self, pids: np.ndarray) -> "ImageSet":
        """Keep the images of some identities."""
        rows = np.isin(self.pid, pids)
        optional = {key: values[rows] for key, values in self.optional.items()}
        return ImageSet(self.image[rows], self.pid[rows], self.camid[rows], self.name[rows], optional)

    def overlaid(self, overlay: "ImageSet") -> "ImageSet":
        """Replace the images that `overlay` holds under the same name.

        Raises:
            UserError: If the overlay holds a name that is not in this set.
        """
        if not len(overlay):
            return self
        row_of = {name: row for row, name in enumerate(self.name)}
        unknown = [name for name in overlay.name if name not in row_of]
        if unknown:
            raise UserError(
                unknown[0],
                "a super-resolved image has no original",
                expected="names that are in images.h5",
                found=f"{len(unknown)} other names",
                remedy="run `dvc repro superresolve`",
            )
        image: Any = self.image.copy()  # both are arrays, or both are stored
        image[[row_of[name] for name in overlay.name]] = overlay.image
        return replace(self, image=image)


class ImageReader:
    """An open images file; made by `open_images`."""

    def __init__(self, file: h5py.File):
        self._file = file
        names = [item.name for item in fields(ImagesInfo) if item.name in file.attrs]
        self.info = ImagesInfo(**{name: plain(file.attrs[name]) for name in names})

    def read(self, split: str, modality: Modality) -> ImageSet:
        """Read one split of one modality into memory."""
        stored = self.stored(split, modality)
        return replace(stored, image=np.asarray(stored.image))

    def stored(self, split: str, modality: Modality) -> ImageSet:
        """Read one split of one modality but leave its images in the file, until they are looked at."""
        group = self._file[f"{split}/{modality.group}"]
        name = self._names(group)
        optional = {key: group[key][:] for key in OPTIONAL_COLUMNS if key in group}
        image = StoredImages(Path(self._file.filename), f"{group.name}/image", _REMEDY)
        return ImageSet(image, group["pid"][:], group["camid"][:], name, optional)

    def records(self, split: str, modality: Modality) -> list[ImageRecord]:
        """List one split of one modality without its images."""
        group = self._file[f"{split}/{modality.group}"]
        columns = zip(self._names(group), group["pid"][:].tolist(), group["camid"][:].tolist(), strict=True)
        return [ImageRecord(name, pid, camid, modality, split) for name, pid, camid in columns]

    def pictures(self, split: str, modality: Modality, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Read single images by name, without the others: name to (H, W, 3) uint8 RGB.

        Raises:
            UserError: If a name is not in the file.
        """
        group = self._file[f"{split}/{modality.group}"]
        row_of = {name: row for row, name in enumerate(self._names(group))}
        missing = [name for name in names if name not in row_of]
        if missing:
            raise UserError(
                self._file.filename,
                f"no {split} image {missing[0]}",
                expected=f"all of the {len(names)} {modality.group} images asked for",
                found=f"{len(missing)} are missing",
                remedy="run `dvc repro`, so that images and features are of one data set",
            )
        return {name: group["image"][row_of[name]] for name in dict.fromkeys(names)}

    def _names(self, group: h5py.Group) -> np.ndarray:
        return read_text(Path(self._file.filename), group["name"], _REMEDY)

    def pids(self, split: str) -> np.ndarray:
        """Identities of a split over both modalities, sorted, (N,) int32."""
        return np.unique(np.concatenate([self._file[f"{split}/{m.group}/pid"][:] for m in Modality]))


@contextmanager
def open_images(path: Path) -> Iterator[ImageReader]:
    """Open an images file or an overlay for reading.

    Raises:
        UserError: If the file is missing, cut short, or of another format.
    """
    with open_hdf5(path, SCHEMA, _REQUIRED, _REMEDY) as file:
        reader = ImageReader(file)
        table = _table(reader.info)
        for split in SPLITS:
            for modality in Modality:
                table.check(path, file, f"{split}/{modality.group}", _REMEDY)
        yield reader


def _table(info: ImagesInfo) -> StoredTable:
    """The columns of every group of an images file."""
    return StoredTable(
        [
            StoredColumn("image", "bytes", (info.height, info.width, 3)),
            StoredColumn("pid", "whole numbers"),
            StoredColumn("camid", "whole numbers"),
            StoredColumn("name", "text"),
            *STORED_OPTIONAL_COLUMNS,
        ]
    )


class ImageWriter:
    """An images file that is being written, image by image; made by `create_images`."""

    def __init__(self, file: h5py.File, height: int, width: int):
        self._file, self._groups = file, {}
        per_chunk = max(1, _CHUNK_BYTES // (height * width * 3))
        for split in SPLITS:
            for modality in Modality:
                group = file.create_group(f"{split}/{modality.group}")
                shape = (height, width, 3)
                group.create_dataset(
                    "image", (0, *shape), "u1", maxshape=(None, *shape), chunks=(per_chunk, *shape)
                )
                for key, dtype in (("pid", "i4"), ("camid", "i2"), ("name", h5py.string_dtype())):
                    group.create_dataset(key, (0,), dtype, maxshape=(None,), chunks=(1024,))
                self._groups[split, modality] = group

    def set_source_hash(self, source_hash: str) -> None:
        """Record the hash of the originals, which is known only once all of them were read."""
        self._file.attrs["source_hash"] = source_hash

    def append(self, records: Sequence[ImageRecord], images: np.ndarray) -> None:
        """Append images of one split and modality.

        Args:
            records: N records that agree in split and modality.
            images: (N, H, W, 3) uint8 RGB.

        Raises:
            OSError: If the disk is too full.
        """
        ensure_room(self._file, images.nbytes)
        group = self._groups[records[0].split, records[0].modality]
        start, stop = len(group["pid"]), len(group["pid"]) + len(records)
        columns: dict[str, Any] = {
            "image": images,
            "pid": [record.pid for record in records],
            "camid": [record.camid for record in records],
            "name": [record.name for record in records],
        }
        for key in OPTIONAL_COLUMNS:
            if getattr(records[0], key) is not None:
                columns[key] = np.array([getattr(record, key) for record in records], np.int16)
                rest = columns[key].shape[1:]
                group.require_dataset(key, (start, *rest), "i2", maxshape=(None, *rest), chunks=(1024, *rest))
        for key, values in columns.items():
            group[key].resize(stop, axis=0)
            group[key][start:stop] = values


@contextmanager
def create_images(path: Path, info: ImagesInfo) -> Iterator[ImageWriter]:
    """Create an images file or an overlay; it appears under `path` only when it is complete."""
    with create_hdf5(path, SCHEMA, asdict(info)) as file:
        yield ImageWriter(file, info.height, info.width)
