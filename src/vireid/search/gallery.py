"""A gallery of embedded pictures: from a folder, from a features file, or from the file that it was saved in.

`vireid.gallery/1` (HDF5): root attributes `schema`, `root`, `modality`, `embedding`, `flip`, `model_hash` and
`index` (SHA-256 of the FAISS index beside it, or empty); `name` (N,) UTF-8, `pid` (N,) int32, -1 where it is
unknown, and `vectors` (N, D) float32, not normalised.
"""

from dataclasses import dataclass
from pathlib import Path

import faiss
import h5py
import numpy as np

from vireid.data.records import Modality
from vireid.retrieval.features import Features
from vireid.search.embedder import PictureEmbedder
from vireid.search.index import EXACT_UP_TO, build_index, load_index, save_index, unit_vectors
from vireid.search.pictures import Picture, find_pictures
from vireid.support.errors import UserError
from vireid.support.hdf5 import create_hdf5, open_hdf5, plain
from vireid.support.progress import console, progress
from vireid.support.stored_tables import StoredColumn, StoredTable, read_text

SCHEMA = "vireid.gallery/1"
_ATTRIBUTES = ("root", "modality", "embedding", "flip", "model_hash", "index")
_REMEDY = "search the folder of pictures again with --save"
_TABLE = StoredTable(
    [
        StoredColumn("name", "text"),
        StoredColumn("pid", "whole numbers"),
        StoredColumn("vectors", "floating-point numbers", (None,)),
    ]
)


@dataclass(frozen=True)
class Gallery:
    """Embedded pictures of one modality.

    Attributes:
        root: Folder that the names are relative to; None where nobody said.
        modality: Their spectrum.
        name: (N,) str objects, POSIX paths.
        pid: (N,) int32, -1 where it is unknown.
        vectors: (N, D) float32, not normalised.
        embedding: Name of the embedding.
        flip: Whether vectors are means with those of the mirror images.
        model_hash: SHA-256 of the model's weights.
        index: SHA-256 of the FAISS index beside the file, empty where there is none.
    """

    root: Path | None
    modality: Modality
    name: np.ndarray
    pid: np.ndarray
    vectors: np.ndarray
    embedding: str
    flip: bool
    model_hash: str
    index: str = ""


def embed_folder(
    root: Path, modality: Modality, assume: bool, embedder: PictureEmbedder, skip_bad: bool
) -> tuple[Gallery, dict[Path, str]]:
    """Embed the pictures of a folder.

    Args:
        root: The folder, with or without a manifest.
        modality: The spectrum to search; of a manifest only its pictures are taken.
        assume: Whether pictures without a manifest may be taken to be of that spectrum.
        embedder: The model.
        skip_bad: Leave unreadable pictures out.

    Returns:
        The gallery, and the pictures that cannot be read, with the reason.

    Raises:
        UserError: If the folder has no such picture, nobody says of which spectrum they are, or one cannot be
            read.
    """
    chosen = _choose(root, modality, assume)
    paths = [root / picture.name for picture in chosen]
    with progress("embed", len(paths), "pictures") as bar:
        vectors, bad = embedder.embed(paths, modality, False, skip_bad, bar.advance)
    kept = [picture for picture, path in zip(chosen, paths, strict=True) if path not in bad]
    gallery = Gallery(
        root=root.resolve(),
        modality=modality,
        name=np.array([picture.name for picture in kept], object),
        pid=np.array([picture.pid for picture in kept], np.int32),
        vectors=vectors,
        embedding=embedder.embedding,
        flip=False,
        model_hash=embedder.model_hash,
    )
    return gallery, bad


def _choose(root: Path, modality: Modality, assume: bool) -> list[Picture]:
    """List the pictures of one spectrum."""
    pictures = find_pictures(root)
    if pictures[0].modality is None and not assume:
        raise UserError(
            root,
            "nobody says what the gallery's pictures are",
            expected="--gallery-modality visible or infrared, or a manifest.csv in the folder",
            found="neither",
            remedy="say it: a model embeds visible and infrared pictures differently",
        )
    chosen = [picture for picture in pictures if picture.modality in (None, modality)]
    if not chosen:
        raise UserError(
            root,
            f"no {modality.group} picture in the manifest",
            expected=f"pictures with the modality {modality.group}",
            found=f"{len(pictures)} others",
            remedy="choose the other spectrum with --gallery-modality",
        )
    return chosen


def from_features(features: Features, modality: Modality) -> Gallery:
    """Take the images of one modality of a features file."""
    images = features.group(modality)
    return Gallery(
        root=None,
        modality=modality,
        name=images.name,
        pid=images.pid,
        vectors=images.embeddings[features.embedding],
        embedding=features.embedding,
        flip=features.info.flip,
        model_hash=features.info.model_hash,
    )


def index_path(path: Path) -> Path:
    """Name of the FAISS index beside a gallery's file."""
    return path.with_name(f"{path.name}.faiss")


def save_gallery(path: Path, gallery: Gallery) -> None:
    """Write a gallery, and for a big one its index beside it; each whole or not at all."""
    index = ""
    if len(gallery.name) > EXACT_UP_TO:
        with console.status(f"index {len(gallery.name):,} pictures"):
            index = save_index(index_path(path), build_index(unit_vectors(gallery.vectors)))
    attributes = {
        "root": str(gallery.root),
        "modality": gallery.modality.group,
        "embedding": gallery.embedding,
        "flip": gallery.flip,
        "model_hash": gallery.model_hash,
        "index": index,
    }
    with create_hdf5(path, SCHEMA, attributes) as file:
        file.create_dataset("name", data=gallery.name, dtype=h5py.string_dtype())
        file.create_dataset("pid", data=gallery.pid, dtype="i4")
        file.create_dataset("vectors", data=gallery.vectors, dtype="f4")


def read_gallery(path: Path) -> Gallery:
    """Read a saved gallery.

    Raises:
        UserError: If the file is missing, cut short or of another format.
    """
    with open_hdf5(path, SCHEMA, _ATTRIBUTES, _REMEDY) as file:
        values = {key: plain(file.attrs[key]) for key in _ATTRIBUTES}
        _TABLE.check(path, file, "", _REMEDY)
        name = read_text(path, file["name"], _REMEDY)
        pid, vectors = file["pid"][:], file["vectors"][:]
    modality = next((item for item in Modality if item.group == values["modality"]), None)
    if modality is None or not len(name):
        raise _unusable(path, "visible or infrared, and a picture", f"{values['modality']}, {len(name)} pictures")
    return Gallery(
        **values | {"root": Path(values["root"]), "modality": modality}, name=name, pid=pid, vectors=vectors
    )


def open_index(path: Path, gallery: Gallery, exact: bool) -> faiss.IndexIVFFlat | None:
    """Read the index of a saved gallery; None where it has none, or all pictures are to be compared."""
    return load_index(index_path(path), gallery.index) if gallery.index and not exact else None


def check_model(path: Path, gallery: Gallery, embedder: PictureEmbedder) -> None:
    """Refuse a gallery that another model has embedded, or with another embedding.

    Raises:
        UserError: If it was.
    """
    for what, expected, found in (
        ("model", embedder.model_hash, gallery.model_hash),
        ("embedding", embedder.embedding, gallery.embedding),
    ):
        if expected != found:
            raise UserError(
                path,
                f"a gallery of another {what}",
                expected=expected,
                found=found,
                remedy="search the folder of pictures again, or choose the model and embedding of the gallery",
            )


def _unusable(path: Path, expected: str, found: object) -> UserError:
    return UserError(path, "not a whole gallery", expected=expected, found=found, remedy=_REMEDY)
