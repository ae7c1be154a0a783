"""From query files and a gallery to what was found, without files for results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faiss

from vireid.data.records import Modality
from vireid.retrieval import features as features_file
from vireid.search.embedder import PictureEmbedder
from vireid.search.gallery import Gallery, check_model, embed_folder, from_features, read_gallery
from vireid.search.hits import QueryHits
from vireid.search.index import nearest
from vireid.search.pictures import known
from vireid.support.errors import UserError
from vireid.support.hdf5 import open_readable, schema_of
from vireid.support.progress import progress


@dataclass(frozen=True)
class Queries:
    """Pictures to search with, all of one spectrum.

    Attributes:
        paths: The files.
        pids: Their identities, -1 where they are unknown.
        modality: Their spectrum.
    """

    paths: Sequence[Path]
    pids: Sequence[int]
    modality: Modality


def known_queries(paths: Sequence[Path], root: Path, said: Modality | None) -> Queries:
    """Collect what is known of the queries: what was said, or else what the manifest of the gallery's folder says.

    Args:
        paths: The files.
        root: The gallery's folder, or where the gallery was saved.
        said: The modality that the user named, or None.

    Raises:
        UserError: If neither tells, or the manifest says one thing of one query and another of the next.
    """
    for path in paths:
        if not path.is_file():
            raise UserError(
                path,
                "no such query",
                expected="a picture",
                found="a folder" if path.is_dir() else "nothing",
                remedy="correct its name",
            )
    asked = known(root, paths)
    kinds = {picture.modality for picture in asked} if said is None else {said}
    modality = kinds.pop() if len(kinds) == 1 else None
    if modality is None:
        unknown = [picture.name for picture in asked if picture.modality is None]
        raise UserError(
            unknown[0] if unknown else "the queries",
            "nobody says what the query is" if unknown else "queries of both spectra",
            expected="--query-modality visible or infrared, or a picture in the manifest of the gallery's folder",
            found="neither" if unknown else "visible and infrared queries by the manifest",
            remedy="say it: a model embeds visible and infrared pictures differently",
        )
    return Queries(paths, [picture.pid for picture in asked], modality)


def open_gallery(
    path: Path, said: Modality | None, queries: Modality, embedder: PictureEmbedder, skip_bad: bool
) -> tuple[Gallery, dict[Path, str]]:
    """Embed a folder of pictures, or read a saved gallery or one modality of a features file.

    Args:
        path: The folder or file.
        said: The modality that the user named; without one it is the other one than that of the queries.
        queries: Modality of the queries.
        embedder: The model.
        skip_bad: Leave unreadable pictures of a folder out.

    Returns:
        The gallery, and the pictures that cannot be read, with the reason.

    Raises:
        UserError: If the folder or file cannot be used, is of another spectrum than was said, or was embedded by
            another model.
    """
    other = Modality.INFRARED if queries is Modality.VISIBLE else Modality.VISIBLE
    modality = other if said is None else said
    if path.is_dir():
        return embed_folder(path, modality, said is not None, embedder, skip_bad)
    remedy = "name the folder that holds the pictures, or a file that was made by --save or by extract"
    with open_readable(path, "a folder of pictures, a gallery saved by --save, or features.h5", remedy) as file:
        schema = schema_of(file)
    if schema == features_file.SCHEMA:
        gallery = from_features(features_file.read_features(path, embedder.embedding), modality)
    else:
        gallery = read_gallery(path)
    if said not in (None, gallery.modality):
        raise UserError(
            path,
            "a gallery of the other spectrum",
            expected=said.group,
            found=gallery.modality.group,
            remedy="leave --gallery-modality out, or search the folder of pictures",
        )
    check_model(path, gallery, embedder)
    return gallery, {}


def search(
    embedder: PictureEmbedder, gallery: Gallery, index: faiss.IndexIVFFlat | None, queries: Queries, top: int
) -> list[QueryHits]:
    """Embed queries and find the closest pictures of a gallery.

    Args:
        embedder: The model that embedded the gallery.
        gallery: What to search.
        index: Of the gallery; None to compare all pictures.
        queries: What to search with.
        top: Number of pictures.

    Raises:
        UserError: If a query cannot be read.
    """
    with progress("queries", len(queries.paths), "pictures") as bar:
        vectors, _ = embedder.embed(queries.paths, queries.modality, gallery.flip, False, bar.advance)
    results = nearest(vectors, gallery.vectors, top, index)
    return [
        QueryHits(path, pid, gallery.name[rows], gallery.pid[rows], distance)
        for path, pid, (rows, distance) in zip(queries.paths, queries.pids, results, strict=True)
    ]
