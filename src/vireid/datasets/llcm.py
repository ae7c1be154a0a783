"""LLCM's training lists `idx/train_{vis,nir}.txt`, and its test images by camera and identity.

Nine cameras, each of which sees visible light by day and near-infrared by night, except camera 3, which has no
near-infrared test images (Zhang and Wang, CVPR 2023). Training images are `{vis,nir}/<pid>/<pid>_c<camera>_s<time>
_f<frame>_{vis,nir}.jpg`; test images are all files in `test_{vis,nir}/cam<camera>/<pid>/` of the identities in
`idx/test_id.txt`. Protocols: the authors' code (github.com/ZYK100/LLCM).
"""

import re
from dataclasses import replace
from pathlib import Path

from vireid.data.layout_checks import (
    ENDING,
    OTHER_ENDINGS,
    images_in,
    in_order,
    labels_of,
    refuse_strays,
    require_disjoint,
    require_every_camera,
    require_files,
)
from vireid.data.lists import read_images, read_pids, require_list
from vireid.data.records import ImageRecord, Modality
from vireid.data.tree import Tree, first_of, read_dataset
from vireid.datasets.base import Choices, DataSet
from vireid.datasets.protocol import DIRECTIONS, Protocol
from vireid.support.errors import UserError
from vireid.support.text import printable

CAMERAS = {Modality.VISIBLE: (1, 2, 3, 4, 5, 6, 7, 8, 9), Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9)}
_WORDS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}
_TRAIN_IMAGE = re.compile(
    rf"(?P<word>vis|nir)/(?P<pid>\d{{4}})/(?P=pid)_c0(?P<camid>[1-9])_s\d+_f\d+_(?P=word){ENDING}",
    re.IGNORECASE,
)
_TEST_IMAGE = re.compile(
    rf"test_(?P<word>vis|nir)/cam(?P<camid>[1-9])/(?P<pid>\d{{4}})/[^/]+{ENDING}", re.IGNORECASE
)


def find_images(root: Path, choices: Choices) -> list[ImageRecord]:
    """List every image, ordered by split, modality, pid, camera and name.

    Raises:
        UserError: If a folder, list or listed image is missing, a list or a file name is not in the official form,
            a test identity or camera has no image, or an identity is in both train and test; if `read_dataset`
            does not read the folder.
    """
    tree = read_dataset(root)
    train = [record for modality in Modality for record in _train_images(tree, modality)]
    test_pids = read_pids(require_list(tree, "idx/test_id.txt"))
    require_disjoint(
        root / "idx", {r.pid for r in train}, test_pids, "idx/train_vis.txt, idx/train_nir.txt or idx/test_id.txt"
    )
    require_files(tree, (record.name for record in train))
    test = [record for modality in Modality for record in _test_images(tree, modality, test_pids)]
    for pid in sorted(test_pids - {record.pid for record in test}):
        raise UserError(
            root,
            f"identity {pid} of the test split has no image",
            expected=f"test_vis/cam*/{pid:04d}/*.jpg and test_nir/cam*/{pid:04d}/*.jpg",
            found="no file in any camera",
            remedy="complete the data set, or take the identity out of idx/test_id.txt",
        )
    return in_order(train + test)


def _train_images(tree: Tree, modality: Modality) -> list[ImageRecord]:
    word = _WORDS[modality]
    path = f"idx/train_{word}.txt"
    listed = read_images(tree, path)
    records = []
    for name in listed:
        match = _TRAIN_IMAGE.fullmatch(name)
        if match is None or match["word"].lower() != word:
            raise UserError(
                tree.root / path,
                f"not a {word} training image of LLCM",
                expected=f"{word}/<pid>/<pid>_c0<1-9>_s<digits>_f<digits>_{word}.jpg ({OTHER_ENDINGS})",
                found=printable(name),
                remedy="restore the official file",
            )
        records.append(ImageRecord(name, int(match["pid"]), int(match["camid"]), modality, "train"))
    labels_of(tree.root / path, records, listed.values())
    return records


def _test_images(tree: Tree, modality: Modality, pids: set[int]) -> list[ImageRecord]:
    folder = f"test_{_WORDS[modality]}"
    expected, names = [f"cam{camid}" for camid in CAMERAS[modality]], tree.children(folder)
    if names != expected:
        lacking = [name for name in expected if name not in names]
        strange = [name for name in names if name not in expected]
        raise UserError(
            tree.root / folder,
            "not the cameras of LLCM",
            expected=", ".join(expected),
            found="; ".join(
                f"{what} {first_of(part)}" for what, part in (("no", lacking), ("also", strange)) if part
            ),
            remedy="restore the data set's own folders",
        )
    records = []
    for camid in CAMERAS[modality]:
        for pid in pids:
            names = images_in(tree, f"{folder}/cam{camid}/{pid:04d}")
            records += [ImageRecord(name, pid, camid, modality, "test") for name in names]
    strays = [record.name for record in records if not _TEST_IMAGE.fullmatch(record.name)]
    refuse_strays(tree.root, strays, f"{folder}/cam<1-9>/<4 digits>/<name>.jpg ({OTHER_ENDINGS})")
    require_every_camera(tree.root, records, {camid: f"{folder}/cam{camid}" for camid in CAMERAS[modality]})
    return records


def _protocol(dataset: str, direction: str) -> Protocol:
    """All test images of one spectrum search one image of each (identity, camera) of the other."""
    query, gallery = DIRECTIONS[direction]
    return Protocol(
        name=f"{dataset}/{direction}",
        dataset=dataset,
        splits=0,
        query_modality=query,
        gallery_modality=gallery,
        query_camids=CAMERAS[query],
        gallery_camids=CAMERAS[gallery],
        query_shots=0,
        query_draw="all",
        shots=1,
        trials=10,
        gallery_draw="seeded",
        exclusion="same_identity_same_location",
        locations=tuple((camid, camid) for camid in CAMERAS[Modality.VISIBLE]),
        cmc_counting="identity",
        normalise=True,
        distance="euclidean",
    )


def _released_protocol(dataset: str) -> Protocol:
    """What the authors' test program calls visible to infrared: drawn infrared images search all visible ones."""
    return replace(
        _protocol(dataset, "infrared_to_visible"),
        name=f"{dataset}/visible_to_infrared_as_released",
        query_shots=1,
        query_draw="seeded",
        shots=0,
        gallery_draw="all",
    )


DATA_SET = DataSet(
    layout="llcm",
    title="LLCM",
    entries=("vis", "nir", "test_vis", "test_nir", "idx"),
    names=("llcm", "synthetic_llcm"),
    find_images=find_images,
    protocols=lambda name: [*(_protocol(name, direction) for direction in DIRECTIONS), _released_protocol(name)],
)
