"""RegDB's folders `Visible/<pid>/` and `Thermal/<pid>/`, and the lists of its ten trials in `idx/`.

One visible and one thermal camera took ten images each of 412 identities at the same moments (Nguyen et al.,
Sensors 17(3), 2017). `idx/{train,test}_{visible,thermal}_{1..10}.txt` name the images of each trial, half of the
identities for training. Their label column counts from 0 in each list and so cannot show an identity that is in
both splits: identities here are the folders. The splits are those of M. Ye et al., AAAI 2018.
"""

import re
from pathlib import Path

from vireid.data.layout_checks import (
    ENDING,
    OTHER_ENDINGS,
    few_of,
    in_order,
    labels_of,
    require_disjoint,
    require_files,
)
from vireid.data.lists import read_images
from vireid.data.records import ImageRecord, Modality
from vireid.data.tree import Tree, read_dataset
from vireid.datasets.base import Choices, DataSet
from vireid.datasets.protocol import DIRECTIONS, Protocol
from vireid.support.errors import UserError
from vireid.support.text import printable

TRIALS = range(1, 11)
CAMERAS = {Modality.VISIBLE: 1, Modality.INFRARED: 2}
"""Numbers of ours: RegDB has one camera of each kind and does not number them."""
_WORDS = {Modality.VISIBLE: "visible", Modality.INFRARED: "thermal"}
_IMAGE = re.compile(
    rf"(?P<folder>Visible|Thermal)/(?P<pid>\d+)/[^/]+_(?P<letter>[vt])_\d+_\d+{ENDING}", re.IGNORECASE
)


def find_images(root: Path, choices: Choices) -> list[ImageRecord]:
    """List every image of a trial, ordered by split, modality, pid, camera and name.

    Args:
        root: The folder that holds `Visible`, `Thermal` and `idx`.
        choices: Says with `trial` which of the ten splits.

    Raises:
        UserError: If a folder, list or listed image is missing, a list is not in the official format, names an
            image of the other spectrum or labels an identity in two ways, the two lists of a split differ in their
            identities, or an identity is in both train and test; if `read_dataset` does not read the folder.
    """
    tree, trial = read_dataset(root), choices.trial
    labels: dict[str, dict[int, int]] = {}
    records = []
    for split in ("train", "test"):
        for modality in Modality:
            listed, labels_of_pids = _read_list(tree, split, modality, trial)
            records += listed
            _require_agreement(
                root / "idx", split, trial, labels.setdefault(split, labels_of_pids), labels_of_pids
            )
    lists = f"idx/train_*_{trial}.txt and idx/test_*_{trial}.txt"
    require_disjoint(root / "idx", labels["train"], labels["test"], lists)
    require_files(tree, (record.name for record in records))
    return in_order(records)


def _read_list(tree: Tree, split: str, modality: Modality, trial: int) -> tuple[list[ImageRecord], dict[int, int]]:
    """Read one list; also the label of each identity."""
    word = _WORDS[modality]
    path = f"idx/{split}_{word}_{trial}.txt"
    listed = read_images(tree, path)
    records = []
    for name in listed:
        match = _IMAGE.fullmatch(name)
        if match is None or {match["folder"].lower(), match["letter"].lower()} != {word, word[0]}:
            raise UserError(
                tree.root / path,
                f"not a {word} image of RegDB",
                expected=f"{word.title()}/<identity>/<words>_{word[0]}_<digits>_<digits>.jpg ({OTHER_ENDINGS})",
                found=printable(name),
                remedy="restore the official file",
            )
        records.append(ImageRecord(name, int(match["pid"]), CAMERAS[modality], modality, split))
    return records, labels_of(tree.root / path, records, listed.values())


def _require_agreement(
    folder: Path, split: str, trial: int, visible: dict[int, int], thermal: dict[int, int]
) -> None:
    """Check that both lists of a split hold the same identities under the same labels."""
    differing = {pid for pid in visible.keys() | thermal.keys() if visible.get(pid) != thermal.get(pid)}
    if differing:
        raise UserError(
            folder,
            f"{split}_visible_{trial}.txt and {split}_thermal_{trial}.txt disagree",
            expected="the same identities with the same labels in both",
            found=f"differences at identity {few_of(differing)}",
            remedy="restore the official files of one trial",
        )


def _protocol(dataset: str, direction: str) -> Protocol:
    """All test images of one spectrum search all of the other; the CMC is that of the first hit."""
    query, gallery = DIRECTIONS[direction]
    return Protocol(
        name=f"{dataset}/{direction}",
        dataset=dataset,
        splits=len(TRIALS),
        query_modality=query,
        gallery_modality=gallery,
        query_camids=(CAMERAS[query],),
        gallery_camids=(CAMERAS[gallery],),
        query_shots=0,
        query_draw="all",
        shots=0,
        trials=1,
        gallery_draw="all",
        exclusion="none",
        locations=((1, 1), (2, 2)),
        cmc_counting="image",
        normalise=True,
        distance="euclidean",
    )


DATA_SET = DataSet(
    layout="regdb",
    title="RegDB",
    entries=("Visible", "Thermal", "idx"),
    names=("regdb", "synthetic_regdb"),
    find_images=find_images,
    protocols=lambda name: [_protocol(name, direction) for direction in DIRECTIONS],
    trials=TRIALS,
)
