"""`features.h5`: the embeddings of every test image, in one file that any tool may write; checked on reading.

Root attributes `schema`, `dataset`, `trial`, `source_hash`, `method`, `default`, `model_hash`, `superresolve`,
`flip` and `train_pids`; groups `/visible` and `/infrared`, each with `pid` (N,) int32, `camid` (N,) int16, `name`
(N,) UTF-8 and `embeddings/<name>` (N, D) float32, not normalised, and, where the data set has them, `location`
(N,) and `official_places` (N, T) int16 (see `records.ImageRecord`). Which images are queries and which are the
gallery is the protocol's business, not the file's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

import h5py
import numpy as np

from vireid.data.optional_columns import STORED_OPTIONAL_COLUMNS
from vireid.data.records import OPTIONAL_COLUMNS, Modality
from vireid.params import Dataset
from vireid.support.errors import UserError
from vireid.support.hdf5 import create_hdf5, open_hdf5, plain
from vireid.support.stored_tables import StoredColumn, StoredTable, read_text

SCHEMA = "vireid.features/1"
DEFAULT = "default"
JOIN = "+"  # between the names of embeddings that are ranked as one
_COLUMNS = [
    StoredColumn("pid", "whole numbers"),
    StoredColumn("camid", "whole numbers"),
    StoredColumn("name", "text"),
    *STORED_OPTIONAL_COLUMNS,
]
_TYPES = {"pid": "i4", "camid": "i2", "name": h5py.string_dtype()}  # as they are written
_REMEDY = "run `dvc repro extract`, or write the file as docs/formats.md describes it"


@dataclass(frozen=True)
class FeaturesInfo:
    """Root attributes of a features file.

    Attributes:
        dataset: Name under which results are reported.
        trial: Number of the split for data sets that have several, otherwise 0.
        source_hash: SHA-256 over the data set's files and split (hexadecimal).
        method: What made the embeddings.
        default: Name of the embedding that is ranked unless another one is asked for.
        model_hash: SHA-256 of the weights (hexadecimal).
        superresolve: `none`, or what was super-resolved and by which weights.
        flip: Whether an embedding is the mean of those of the image and of its mirror image.
        train_pids: (P,) int32, the identities that the model was trained on.
    """

    dataset: str
    trial: int
    source_hash: str
    method: str
    default: str
    model_hash: str
    superresolve: str
    flip: bool
    train_pids: np.ndarray


@dataclass(frozen=True)
class FeatureSet:
    """The embedded test images of one modality.

    Attributes:
        pid: (N,) int32; negative where nobody knows the person, as in Market-1501's junk images.
        camid: (N,) int16.
        name: (N,) str objects, paths relative to the data set's root, each once.
        embeddings: Name -> (N, D) float32, not normalised.
        optional: Those of `records.OPTIONAL_COLUMNS` that the data set has: name -> (N, ...) int16.
    """

    pid: np.ndarray
    camid: np.ndarray
    name: np.ndarray
    embeddings: Mapping[str, np.ndarray]
    optional: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pid)

    @property
    def identified(self) -> np.ndarray:
        """Tell which images show a known person: (N,) bool, False where the pid is negative (junk)."""
        return self.pid >= 0


@dataclass(frozen=True)
class Features:
    """The embeddings that are ranked, with their source.

    Attributes:
        info: Where they come from.
        embedding: Name of the embedding that is ranked, or several names joined by `+`.
        visible: Images of the visible cameras.
        infrared: Images of the infrared cameras.
    """

    info: FeaturesInfo
    embedding: str
    visible: FeatureSet
    infrared: FeatureSet

    def group(self, modality: Modality) -> FeatureSet:
        """Return the images of one modality."""
        return {Modality.VISIBLE: self.visible, Modality.INFRARED: self.infrared}[modality]

    def vectors(self, modality: Modality, rows: np.ndarray) -> np.ndarray:
        """Return the ranked embedding of some images, (len(rows), D) float32."""
        return self.group(modality).embeddings[self.embedding][rows]


def write_features(path: Path, info: FeaturesInfo, visible: FeatureSet, infrared: FeatureSet) -> None:
    """Write a features file, whole or not at all.

    Args:
        path: The file to create.
        info: Its root attributes.
        visible: All test images of the visible cameras, with every embedding the method offers.
        infrared: The same for the infrared cameras.

    Raises:
        UserError: If columns differ in length, an embedding is not finite, or only one modality has locations.
    """
    _check_locations(path, visible, infrared)
    with create_hdf5(path, SCHEMA, {item.name: getattr(info, item.name) for item in fields(info)}) as file:
        for modality, images in zip(Modality, (visible, infrared), strict=True):
            group = file.create_group(modality.group)
            for key, dtype in _TYPES.items():
                group.create_dataset(key, data=getattr(images, key), dtype=dtype)
            for key, values in images.optional.items():
                group.create_dataset(key, data=values, dtype="i2")
            for name, embedding in images.embeddings.items():
                _check_embedding(path, modality, images, np.asarray(embedding))
                group.create_dataset(f"embeddings/{name}", data=embedding, dtype="f4")


def read_features(path: Path, embedding: str = DEFAULT) -> Features:
    """Read one embedding of every test image, or several as one, and check it.

    Args:
        path: A features file.
        embedding: Name of an embedding; `default` stands for the one that the file's attribute `default` names.
            `first+second` stands for both, each scaled to length 1 and then concatenated, so that each has the
            same say whatever its length and scale.

    Raises:
        UserError: If the file is missing, cut short or of another format; if columns differ in length, names
            repeat, values are not finite or the embedding is unknown; if only one modality has locations; if a
            test identity was trained on.
    """
    attributes = [item.name for item in fields(FeaturesInfo)]
    with open_hdf5(path, SCHEMA, attributes, _REMEDY) as file:
        info = _checked_info(path, FeaturesInfo(**{key: plain(file.attrs[key]) for key in attributes}))
        names = [info.default if name == DEFAULT else name for name in embedding.split(JOIN)]
        visible, infrared = (_read_set(path, file, modality, names) for modality in Modality)
    embedding = JOIN.join(names)
    _check_dimensions(path, embedding, visible, infrared)
    _check_locations(path, visible, infrared)
    _check_leak(path, info, visible, infrared)
    return Features(info, embedding, visible, infrared)


def check_features(where: Path, features: Features) -> None:
    """Check features that come from no file as those of a file are.

    Args:
        where: What messages call them.
        features: With one embedding.

    Raises:
        UserError: If lengths or widths differ, names repeat, values are not finite, only one modality has
            locations, or a test identity was trained on.
    """
    for modality in Modality:
        images = features.group(modality)
        _check_embedding(where, modality, images, images.embeddings[features.embedding])
    _check_dimensions(where, features.embedding, features.visible, features.infrared)
    _check_locations(where, features.visible, features.infrared)
    _check_leak(where, features.info, features.visible, features.infrared)


def _checked_info(path: Path, info: FeaturesInfo) -> FeaturesInfo:
    """Check the types of the root attributes, which other tools may have written."""
    if isinstance(info.flip, int) and info.flip in (0, 1):  # MATLAB and C have no truth values in HDF5
        info = replace(info, flip=bool(info.flip))
    wrong = [
        f"{item.name}: {getattr(info, item.name)!r}"
        for item in fields(FeaturesInfo)
        if item.name != "train_pids" and type(getattr(info, item.name)) is not item.type
    ]
    pids = np.asarray(info.train_pids)
    if pids.ndim != 1 or (pids.size and pids.dtype.kind not in "iu"):
        wrong.append(f"train_pids: {info.train_pids!r}")
    if wrong:
        raise UserError(
            path,
            "root attributes of another type",
            expected="text, but for trial: a whole number, flip: true or false, train_pids: whole numbers (P,)",
            found="; ".join(wrong),
            remedy=_REMEDY,
        )
    return replace(info, train_pids=_as_column(path, "train_pids", pids, "i4"))


def _as_column(path: Path, name: str, values: np.ndarray, dtype: str) -> np.ndarray:
    """Convert whole numbers to a column's type, refusing those that it cannot hold."""
    limits = np.iinfo(dtype)
    if values.size and (values.min() < limits.min or values.max() > limits.max):
        raise UserError(
            path,
            f"numbers in {name} are too large",
            expected=f"{limits.min} to {limits.max}",
            found=f"{values.min()} to {values.max()}",
            remedy="number them anew, in the same way everywhere in the file",
        )
    return values.astype(dtype, copy=False)


def require_split(path: Path, info: FeaturesInfo, dataset: Dataset) -> None:
    """Check that features are of the data set and trial that the parameters name.

    Raises:
        UserError: If they are of another one: the results would stand under a wrong name.
    """
    if (info.dataset, info.trial) != (dataset.name, dataset.trial):
        raise UserError(
            path,
            "features of another data set or trial",
            expected=f"{dataset.name}, trial {dataset.trial}",
            found=f"{info.dataset}, trial {info.trial}",
            remedy="run `dvc repro`, or use `vireid evaluate` for features from elsewhere",
        )


def _read_set(path: Path, file: h5py.File, modality: Modality, names: Sequence[str]) -> FeatureSet:
    StoredTable(_COLUMNS).check(path, file, modality.group, _REMEDY)
    group = file[modality.group]
    embeddings = group.get("embeddings")
    if not isinstance(embeddings, h5py.Group):
        raise UserError(
            path,
            f"group /{modality.group} is not complete",
            expected="pid, camid, name and a group embeddings",
            found="no embeddings" if embeddings is None else "embeddings is no group",
            remedy=_REMEDY,
        )
    unknown = [name for name in names if name not in embeddings]
    if unknown:
        raise UserError(
            path,
            f"no embedding `{unknown[0]}` in group /{modality.group}",
            expected=f"{', '.join(embeddings)}, {DEFAULT}, or several of these joined by {JOIN}",
            found=JOIN.join(names),
            remedy="choose one of these (evaluate.embedding, or --embedding)",
        )
    vectors = [StoredColumn(f"embeddings/{name}", "floating-point numbers", (None,)) for name in names]
    StoredTable([*_COLUMNS, *vectors]).check(path, file, modality.group, _REMEDY)
    name = read_text(path, group["name"], _REMEDY)
    parts = {part: group["embeddings"][part][:] for part in names}
    optional = {key: group[key][:] for key in OPTIONAL_COLUMNS if key in group}
    pid, camid = (_as_column(path, f"{group.name}/{key}", group[key][:], _TYPES[key]) for key in ("pid", "camid"))
    images = FeatureSet(pid, camid, name, parts, optional)
    for values in parts.values():
        _check_embedding(path, modality, images, values)
    return replace(images, embeddings={JOIN.join(names): _joined([parts[part] for part in names])})


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Leave one embedding as it is; scale several to length 1 and concatenate them. (N, D) float32."""
    if len(parts) == 1:
        return parts[0].astype(np.float32, copy=False)
    lengths = [np.linalg.norm(part.astype(np.float64), axis=1, keepdims=True) for part in parts]
    # A row of zeros stays as it is.
    scaled = [part / np.where(length > 0, length, 1) for part, length in zip(parts, lengths, strict=True)]
    return np.concatenate(scaled, axis=1, dtype=np.float32, casting="same_kind")


def _check_embedding(path: Path, modality: Modality, images: FeatureSet, values: np.ndarray) -> None:
    """Check that an embedding has one finite vector for each image, and each image once."""
    group = f"/{modality.group}"
    if values.dtype.kind != "f" or values.ndim != 2 or values.shape[1] == 0:
        raise UserError(
            path,
            f"an embedding in {group} is not a matrix of floating-point numbers",
            expected="(N, D) float32",
            found=f"{values.shape} {values.dtype}",
            remedy=_REMEDY,
        )
    lengths = {len(images.pid), len(images.camid), len(images.name), len(values)}
    lengths |= {len(column) for column in images.optional.values()}
    if len(lengths) > 1:
        raise UserError(
            path,
            f"the columns of {group} differ in length",
            expected="one row for each image in pid, camid, name and embeddings",
            found=f"{len(images.pid)}, {len(images.camid)}, {len(images.name)} and {len(values)} rows",
            remedy=_REMEDY,
        )
    repeated = len(images) - len(set(images.name))
    if repeated:
        raise UserError(
            path,
            f"names repeat in {group}",
            expected="each image once",
            found=f"{repeated} repetitions among {len(images)} names",
            remedy=_REMEDY,
        )
    # Values beyond float32 are infinite to every reader, whatever type they were stored in.
    largest = np.maximum(values.max(axis=1), -values.min(axis=1))  # NaN if there is one; no copy of a large file
    bad = np.flatnonzero(~(largest <= np.finfo(np.float32).max))
    if len(bad):
        raise UserError(
            path,
            f"NaN or infinite embeddings in {group}",
            expected="finite numbers",
            found=f"{len(bad)} of {len(images)} images, the first is {images.name[bad[0]]}",
            remedy="look whether the training diverged (lower train.lr), or mend the tool that wrote the file",
        )


def _check_dimensions(path: Path, embedding: str, visible: FeatureSet, infrared: FeatureSet) -> None:
    shapes = [images.embeddings[embedding].shape[1] for images in (visible, infrared)]
    if shapes[0] != shapes[1]:
        raise UserError(
            path,
            f"the embedding `{embedding}` differs between the modalities",
            expected="the same D in /visible and /infrared",
            found=f"D = {shapes[0]} and {shapes[1]}",
            remedy=_REMEDY,
        )


def _check_locations(path: Path, visible: FeatureSet, infrared: FeatureSet) -> None:
    """Refuse locations of one modality: the other's cameras would be taken for places of the same numbers."""
    having = [
        modality.group
        for modality, images in zip(Modality, (visible, infrared), strict=True)
        if "location" in images.optional
    ]
    if len(having) == 1:
        raise UserError(
            path,
            "only one modality says where its images were taken",
            expected="a column location in /visible and in /infrared, or in neither",
            found=f"one in /{having[0]} only",
            remedy=_REMEDY,
        )


def _check_leak(path: Path, info: FeaturesInfo, visible: FeatureSet, infrared: FeatureSet) -> None:
    tested = np.concatenate([images.pid[images.identified] for images in (visible, infrared)])
    leaked = np.intersect1d(info.train_pids, tested)
    if len(leaked):
        raise UserError(
            path,
            "test identities were trained on: any result would be too good",
            expected="no identity in both training and test",
            found=f"{len(leaked)} identities in both, the first is {leaked[0]}",
            remedy="extract with a model that was trained on this data set's split and trial (`dvc repro train`)",
        )
