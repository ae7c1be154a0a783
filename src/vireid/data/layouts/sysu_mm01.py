"""SYSU-MM01's folders: `cam1..cam6/<pid>/<image>` and the split files `exp/{train,val,test}_id.txt`.

Cameras 1, 2, 4 and 5 are visible, 3 and 6 near-infrared (Wu et al., ICCV 2017). Each split file is one line of
comma-separated identities. Training uses train + val, the 395 identities of all published results.
"""

import re
from pathlib import Path

from vireid.data.records import ImageRecord, Modality
from vireid.support.errors import UserError

MODALITY_OF_CAMERA = {
    1: Modality.VISIBLE,
    2: Modality.VISIBLE,
    3: Modality.INFRARED,
    4: Modality.VISIBLE,
    5: Modality.VISIBLE,
    6: Modality.INFRARED,
}
_SPLIT_FILES = {"train": ("train_id.txt", "val_id.txt"), "test": ("test_id.txt",)}
_ID_LINE = re.compile(r"\d+(,\d+)*,?")
_IMAGE = re.compile(r"cam(?P<camid>[1-6])/(?P<pid>\d{4})/\d+\.(jpg|jpeg|png|bmp)", re.IGNORECASE)


def find_images(root: Path) -> list[ImageRecord]:
    """List every image of the train and test identities, ordered by split, modality, pid, camera and name.

    Raises:
        UserError: If a camera folder or split file is missing, a split file is not in the official format, an
            identity is in both train and test, has no image, or a file's name is not of the layout.
    """
    missing = [f"cam{camid}" for camid in MODALITY_OF_CAMERA if not (root / f"cam{camid}").is_dir()]
    if missing:
        raise UserError(
            root,
            "not in SYSU-MM01's layout",
            expected="folders cam1 ... cam6 and exp",
            found=f"no {', '.join(missing)}",
            remedy="set dataset.root to the folder that holds cam1",
        )
    pids = {split: _read_split(root / "exp", files) for split, files in _SPLIT_FILES.items()}
    both = sorted(pids["train"] & pids["test"])
    if both:
        raise UserError(
            root / "exp",
            "identities in both train and test",
            expected="disjoint identities: otherwise the test measures memory",
            found=_some(both),
            remedy="correct exp/train_id.txt, exp/val_id.txt or exp/test_id.txt",
        )
    records = [record for split in pids for pid in pids[split] for record in _images_of(root, pid, split)]
    order = {"train": 0, "test": 1}
    return sorted(records, key=lambda r: (order[r.split], r.modality, r.pid, r.camid, r.name))


def _read_split(folder: Path, names: tuple[str, ...]) -> set[int]:
    pids: set[int] = set()
    for name in names:
        path = folder / name
        if not path.is_file():
            raise UserError(
                path,
                "a split file is missing",
                expected="one line of comma-separated identities",
                found="nothing",
                remedy="copy the exp folder that comes with SYSU-MM01",
            )
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        if not _ID_LINE.fullmatch(text):
            raise UserError(
                path,
                "not a split file",
                expected="one line of comma-separated integers",
                found=repr(text[:60]),
                remedy="restore the official file",
            )
        pids.update(int(item) for item in text.split(",") if item)
    return pids


def _images_of(root: Path, pid: int, split: str) -> list[ImageRecord]:
    records = []
    for camid, modality in MODALITY_OF_CAMERA.items():
        folder = root / f"cam{camid}" / f"{pid:04d}"
        for path in folder.iterdir() if folder.is_dir() else ():
            name = path.relative_to(root).as_posix()
            if not _IMAGE.fullmatch(name):
                raise UserError(
                    path,
                    "a file that is not of the layout",
                    expected="cam<1-6>/<4 digits>/<digits>.jpg (or png, bmp)",
                    found=name,
                    remedy="move it out of the data set",
                )
            records.append(ImageRecord(name, pid, camid, modality, split))
    if not records:
        raise UserError(
            root,
            f"identity {pid} of the {split} split has no image",
            expected=f"cam*/{pid:04d}/*.jpg",
            found="no file in any camera",
            remedy="complete the data set, or take the identity out of the split files",
        )
    return records


def _some(values: list[int]) -> str:
    shown = ", ".join(map(str, values[:10]))
    return shown if len(values) <= 10 else f"{shown}, ... ({len(values)} in all)"
