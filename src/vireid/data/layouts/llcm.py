"""LLCM's training lists `idx/train_{vis,nir}.txt`, and its test images by camera and identity.

Nine cameras, each of which sees visible light by day and near-infrared by night, except camera 3, which has no
near-infrared test images (Zhang and Wang, CVPR 2023). Training images are `{vis,nir}/<pid>/<pid>_c<camera>_s<time>
_f<frame>_{vis,nir}.jpg`; test images are all files in `test_{vis,nir}/cam<camera>/<pid>/` of the identities in
`idx/test_id.txt`.
"""

import re
from pathlib import Path

from vireid.data.layouts.checks import (
    files_in,
    in_order,
    labels_of,
    refuse_strays,
    require_disjoint,
    require_every_camera,
    require_files,
    require_folders,
)
from vireid.data.layouts.lists import read_images, read_pids
from vireid.data.records import ImageRecord, Modality
from vireid.support.errors import UserError

CAMERAS = {Modality.VISIBLE: (1, 2, 3, 4, 5, 6, 7, 8, 9), Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9)}
_WORDS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}
_TRAIN_IMAGE = re.compile(
    r"(?P<word>vis|nir)/(?P<pid>\d{4})/(?P=pid)_c0(?P<camid>[1-9])_s\d+_f\d+_(?P=word)\.(jpg|jpeg|png|bmp)",
    re.IGNORECASE,
)
_TEST_IMAGE = re.compile(
    r"test_(?P<word>vis|nir)/cam(?P<camid>[1-9])/(?P<pid>\d{4})/[^/]+\.(jpg|jpeg|png|bmp)", re.IGNORECASE
)


def find_images(root: Path) -> list[ImageRecord]:
    """List every image, ordered by split, modality, pid, camera and name.

    Raises:
        UserError: If a folder, list or listed image is missing, a list or a file name is not in the official form,
            a test identity or camera has no image, or an identity is in both train and test.
    """
    require_folders(root, "llcm")
    train = [record for modality in Modality for record in _train_images(root, modality)]
    test_pids = read_pids(root / "idx" / "test_id.txt")
    require_disjoint(
        root / "idx", {r.pid for r in train}, test_pids, "idx/train_vis.txt, idx/train_nir.txt or idx/test_id.txt"
    )
    require_files(root, (record.name for record in train))
    test = [record for modality in Modality for record in _test_images(root, modality, test_pids)]
    for pid in sorted(test_pids - {record.pid for record in test}):
        raise UserError(
            root,
            f"identity {pid} of the test split has no image",
            expected=f"test_vis/cam*/{pid:04d}/*.jpg and test_nir/cam*/{pid:04d}/*.jpg",
            found="no file in any camera",
            remedy="complete the data set, or take the identity out of idx/test_id.txt",
        )
    return in_order(train + test)


def _train_images(root: Path, modality: Modality) -> list[ImageRecord]:
    word = _WORDS[modality]
    path = f"idx/train_{word}.txt"
    listed = read_images(root, path)
    records = []
    for name in listed:
        match = _TRAIN_IMAGE.fullmatch(name)
        if match is None or match["word"].lower() != word:
            raise UserError(
                root / path,
                f"not a {word} training image of LLCM",
                expected=f"{word}/<pid>/<pid>_c0<1-9>_s<digits>_f<digits>_{word}.jpg",
                found=name,
                remedy="restore the official file",
            )
        records.append(ImageRecord(name, int(match["pid"]), int(match["camid"]), modality, "train"))
    labels_of(root / path, records, listed.values())
    return records


def _test_images(root: Path, modality: Modality, pids: set[int]) -> list[ImageRecord]:
    folder = root / f"test_{_WORDS[modality]}"
    expected = [f"cam{camid}" for camid in CAMERAS[modality]]
    found = sorted(path.name for path in folder.iterdir())
    if found != expected:
        raise UserError(
            folder,
            "not the cameras of LLCM",
            expected=", ".join(expected),
            found=", ".join(found) or "nothing",
            remedy="restore the data set's own folders",
        )
    records = []
    for camid in CAMERAS[modality]:
        for pid in pids:
            files = files_in(folder / f"cam{camid}" / f"{pid:04d}")
            names = [path.relative_to(root).as_posix() for path in files]
            records += [ImageRecord(name, pid, camid, modality, "test") for name in names]
    strays = [record.name for record in records if not _TEST_IMAGE.fullmatch(record.name)]
    refuse_strays(root, strays, f"{folder.name}/cam<1-9>/<4 digits>/<name>.jpg (or png, bmp)")
    require_every_camera(root, records, {camid: f"{folder.name}/cam{camid}" for camid in CAMERAS[modality]})
    return records
