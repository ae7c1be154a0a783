"""The layouts that the embedded data set can be drawn in: who is seen by what, and where the files go."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from vireid.data.records import Modality
from vireid.datasets import llcm, regdb
from vireid.synthetic.cameras import CAMERAS, Camera
from vireid.synthetic.draws import Draw, Purpose

Splits = Mapping[str, range]
"""Identities by split: train, val, test, and available for all of them."""


@dataclass(frozen=True)
class LayoutCamera:
    """One spectrum of one camera of a layout.

    Attributes:
        number: The camera's number in the layout.
        camera: What it looks like; views of equal `camera.camid` take their images at the same moments.
    """

    number: int
    camera: Camera

    @property
    def modality(self) -> Modality:
        """The spectrum."""
        return self.camera.modality


@dataclass(frozen=True)
class DrawnLayout:
    """How the embedded data set is laid out.

    Attributes:
        views: All cameras, each spectrum for itself.
        images: Images of an identity by each view, unless asked for otherwise.
        name: (view, pid, number of the image, whether the identity is tested on) -> the file's path.
        lists: (splits, images by spectrum, seed) -> the split files' paths and contents.
    """

    views: tuple[LayoutCamera, ...]
    images: Mapping[Modality, int]
    name: Callable[[LayoutCamera, int, int, bool], str]
    lists: Callable[[Splits, Mapping[Modality, int], int], dict[str, str]]


def _sysu_name(view: LayoutCamera, pid: int, number: int, tested: bool) -> str:
    return f"cam{view.number}/{pid:04d}/{number:04d}.jpg"


def _sysu_lists(splits: Splits, images: Mapping[Modality, int], seed: int) -> dict[str, str]:
    return {f"exp/{name}_id.txt": _id_line(pids) for name, pids in splits.items()}


_REGDB_WORDS = {Modality.VISIBLE: ("Visible", "v"), Modality.INFRARED: ("Thermal", "t")}
_REGDB_MOMENT = 7
"""Both cameras share their random numbers, and so pose and moment: RegDB's images are pairs."""
_REGDB_VIEWS = tuple(
    LayoutCamera(regdb.CAMERAS[camera.modality], replace(camera, camid=_REGDB_MOMENT))
    for camera in CAMERAS
    if camera.scene == "laboratory"
)


def _regdb_name(view: LayoutCamera, pid: int, number: int, tested: bool) -> str:
    folder, letter = _REGDB_WORDS[view.modality]
    return f"{folder}/{pid}/person_drawn_{letter}_{number:05d}_{pid}.jpg"


def _regdb_lists(splits: Splits, images: Mapping[Modality, int], seed: int) -> dict[str, str]:
    """Split the identities anew in each trial, as many to train on as in train and val together."""
    lists = {}
    for trial in regdb.TRIALS:
        pids = Draw(seed, Purpose.SPLIT, trial).state.permutation(list(splits["available"])).tolist()
        num_train = len(splits["train"]) + len(splits["val"])
        for split, chosen in (("train", sorted(pids[:num_train])), ("test", sorted(pids[num_train:]))):
            for view in _REGDB_VIEWS:
                names = [
                    f"{_regdb_name(view, pid, number, False)} {label}\n"
                    for label, pid in enumerate(chosen)
                    for number in range(1, images[view.modality] + 1)
                ]
                word = _REGDB_WORDS[view.modality][0].lower()
                lists[f"idx/{split}_{word}_{trial}.txt"] = "".join(names)
    return lists


_LLCM_WORDS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}
_LLCM_FIRST = {Modality.VISIBLE: 10, Modality.INFRARED: 20}
"""Where the numbers of the drawn cameras start, so that no two views share their random numbers."""


def _llcm_views() -> tuple[LayoutCamera, ...]:
    """Give LLCM's cameras, in turn, the looks of the drawn cameras of their spectrum."""
    views = []
    for modality in Modality:
        looks = [camera for camera in CAMERAS if camera.modality is modality]
        for number in llcm.CAMERAS[modality]:
            camera = replace(looks[number % len(looks)], camid=_LLCM_FIRST[modality] + number)
            views.append(LayoutCamera(number, camera))
    return tuple(views)


def _llcm_name(view: LayoutCamera, pid: int, number: int, tested: bool) -> str:
    word = _LLCM_WORDS[view.modality]
    folder = f"test_{word}/cam{view.number}" if tested else word
    return f"{folder}/{pid:04d}/{pid:04d}_c{view.number:02d}_s{number:06d}_f{number}_{word}.jpg"


def _llcm_lists(splits: Splits, images: Mapping[Modality, int], seed: int) -> dict[str, str]:
    lists = {"idx/test_id.txt": _id_line(splits["test"])}
    pids = [*splits["train"], *splits["val"]]
    for modality, word in _LLCM_WORDS.items():
        names = [
            f"{_llcm_name(view, pid, number, False)} {label}\n"
            for label, pid in enumerate(pids)
            for view in LAYOUTS["llcm"].views
            if view.modality is modality
            for number in range(1, images[modality] + 1)
        ]
        lists[f"idx/train_{word}.txt"] = "".join(names)
    return lists


def _id_line(pids: range) -> str:
    return ",".join(map(str, pids)) + "\n"


LAYOUTS = {
    "sysu_mm01": DrawnLayout(
        views=tuple(LayoutCamera(camera.camid, camera) for camera in CAMERAS),
        images={Modality.VISIBLE: 3, Modality.INFRARED: 6},
        name=_sysu_name,
        lists=_sysu_lists,
    ),
    "regdb": DrawnLayout(
        views=_REGDB_VIEWS,
        images={Modality.VISIBLE: 10, Modality.INFRARED: 10},
        name=_regdb_name,
        lists=_regdb_lists,
    ),
    "llcm": DrawnLayout(
        views=_llcm_views(),
        images={Modality.VISIBLE: 2, Modality.INFRARED: 2},
        name=_llcm_name,
        lists=_llcm_lists,
    ),
}
