"""SYSU-MM01's folders: `cam1..cam6/<pid>/<image>` and the split files `exp/{train,val,test}_id.txt` (or `.mat`).

Cameras 1, 2, 4 and 5 are visible, 3 and 6 near-infrared (Wu et al., ICCV 2017). Each split file is one line of
comma-separated identities. Training uses train + val, the 395 identities of all published results, unless the 296
of train alone are asked for. Protocols: A. Wu et al., "RGB-Infrared Cross-Modality Person Re-Identification", ICCV
2017, with the authors' evaluation code (github.com/wuancong/SYSU-MM01).
"""

import re
from pathlib import Path

from vireid.data.layout_checks import (
    ENDING,
    OTHER_ENDINGS,
    images_in,
    in_order,
    refuse_strays,
    require_disjoint,
    require_every_camera,
)
from vireid.data.lists import read_matlab_pids, read_pids, require_list
from vireid.data.official_galleries import require_galleries, with_official_places
from vireid.data.records import ImageRecord, Modality
from vireid.data.tree import Tree, read_dataset
from vireid.datasets.base import Choices, DataSet
from vireid.datasets.protocol import Protocol
from vireid.support.errors import UserError

MODALITY_OF_CAMERA = {
    1: Modality.VISIBLE,
    2: Modality.VISIBLE,
    3: Modality.INFRARED,
    4: Modality.VISIBLE,
    5: Modality.VISIBLE,
    6: Modality.INFRARED,
}
_IMAGE = re.compile(rf"cam(?P<camid>[1-6])/(?P<pid>\d{{4}})/\d+{ENDING}", re.IGNORECASE)
_SHUFFLES = "exp/rand_perm_cam.mat"
LOCATIONS = ((1, 1), (2, 2), (3, 2), (4, 4), (5, 5), (6, 6))  # infrared camera 3 hangs in room 2
MODES = {"all_search": (1, 2, 4, 5), "indoor_search": (1, 2)}  # cameras of the gallery
SHOTS = {"single_shot": 1, "multi_shot": 10}


def find_images(root: Path, choices: Choices) -> list[ImageRecord]:
    """List every image of the train and test identities, ordered by split, modality, pid, camera and name.

    Args:
        root: The folder that holds `cam1` ... `cam6` and `exp`.
        choices: Says with `train_on_val` whether the identities of the validation list are trained on or left
            out; with `official_galleries` whether the authors' `exp/rand_perm_cam.mat` must be there.

    Raises:
        UserError: If a camera folder or split file is missing or empty, a split file is not in the official
            format, an identity is in both train and test, has no image, or a file's name is not of the layout;
            if `read_dataset` does not read the folder.
    """
    tree = read_dataset(root)
    lists = {"train": ("train_id", "val_id") if choices.train_on_val else ("train_id",), "test": ("test_id",)}
    pids = {split: set().union(*(_read_pids(tree, name) for name in names)) for split, names in lists.items()}
    files = "exp/train_id.txt, exp/val_id.txt or exp/test_id.txt"
    require_disjoint(root / "exp", pids["train"], pids["test"], files)
    records = in_order(record for split in pids for pid in pids[split] for record in _images_of(tree, pid, split))
    strays = [record.name for record in records if not _IMAGE.fullmatch(record.name)]
    refuse_strays(root, strays, f"cam<1-6>/<4 digits>/<digits>.jpg ({OTHER_ENDINGS})")
    require_every_camera(root, records, {camid: f"cam{camid}" for camid in MODALITY_OF_CAMERA})
    # Read wherever it is there, so that choosing between official and seeded galleries reruns no training.
    if choices.official_galleries or _SHUFFLES in tree:
        require_galleries(tree, _SHUFFLES)
        return with_official_places(records, root / _SHUFFLES)
    return records


def _read_pids(tree: Tree, name: str) -> set[int]:
    """Read a list of identities from its text file, or from its MATLAB file where there is no other."""
    text, matlab = f"exp/{name}.txt", f"exp/{name}.mat"
    if matlab in tree and text not in tree:
        return read_matlab_pids(require_list(tree, matlab))
    return read_pids(require_list(tree, text))


def _images_of(tree: Tree, pid: int, split: str) -> list[ImageRecord]:
    records = []
    for camid, modality in MODALITY_OF_CAMERA.items():
        names = images_in(tree, f"cam{camid}/{pid:04d}")
        records += [ImageRecord(name, pid, camid, modality, split) for name in names]
    if not records:
        raise UserError(
            tree.root,
            f"identity {pid} of the {split} split has no image",
            expected=f"cam*/{pid:04d}/*.jpg",
            found="no file in any camera",
            remedy="complete the data set, or take the identity out of the split files",
        )
    return records


def _protocol(dataset: str, mode: str, shots: str) -> Protocol:
    return Protocol(
        name=f"{dataset}/{mode}/{shots}",
        dataset=dataset,
        splits=0,
        query_modality=Modality.INFRARED,
        gallery_modality=Modality.VISIBLE,
        query_camids=(3, 6),
        gallery_camids=MODES[mode],
        query_shots=0,
        query_draw="all",
        shots=SHOTS[shots],
        trials=10,
        gallery_draw="seeded",
        exclusion="same_location",
        locations=LOCATIONS,
        cmc_counting="identity",
        normalise=True,
        distance="euclidean",
    )


DATA_SET = DataSet(
    layout="sysu_mm01",
    title="SYSU-MM01",
    entries=(*(f"cam{camid}" for camid in MODALITY_OF_CAMERA), "exp"),
    names=("sysu_mm01", "synthetic"),
    find_images=find_images,
    protocols=lambda name: [_protocol(name, mode, shots) for mode in MODES for shots in SHOTS],
    has_validation_list=True,
    has_official_galleries=True,
)
