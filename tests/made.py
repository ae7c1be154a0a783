"""Small made-up data sets and parameters for the tests."""

import json
from collections.abc import Callable
from copy import deepcopy
from functools import cache, partial
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ruamel.yaml import YAML

from vireid.layers import compose

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
TRAIN, VAL, TEST = tuple(range(1, 11)), (11, 12), (13, 14)
CAMERAS = {1: "visible", 2: "visible", 3: "infrared", 4: "visible", 5: "visible", 6: "infrared"}
HEIGHT, WIDTH = 40, 20
PACKED = (48, 36)
IMAGES_PER_CAMERA = 2
METHOD = "fprnet"  # of tests that need a method and do not say which
SIXTEEN_BIT = {"scaling": "percentiles", "window": [0, 65535], "percentiles": [0.5, 99.5]}
# What makes a run of the pipeline take seconds; dotted keys of params.yaml.
TINY = {
    "ingest.height": PACKED[0],
    "ingest.width": PACKED[1],
    "superresolve.enabled": True,
    "superresolve.camera": 1,
    "superresolve.input.height": 16,
    "superresolve.input.width": 8,
    "superresolve.apply.height": 16,
    "superresolve.apply.width": 8,
    "superresolve.output.height": PACKED[0],
    "superresolve.output.width": PACKED[1],
    "superresolve.iterations": 4,
    "superresolve.batch_size": 4,
    "superresolve.patch": 16,
    "superresolve.holdout_pids": 2,
    "train.num_pids": 4,
    "train.epochs": 2,
    "train.steps_per_epoch": 2,
    "train.warmup_epochs": 1,
    "train.holdout_pids": 4,
    "train.validate_every": 1,
    "train.augmentation.pad": 2,
    "extract.batch_size": 8,
    "compute.device": "cpu",
    "compute.precision": "fp32",
    "compute.threads": 1,
    "compute.workers": 1,
}


def dataset_at(root, layout="sysu_mm01", **choices):
    """The parameters of a data set in a folder, under the name of its embedded copy where it has one."""
    from vireid.datasets import data_set_of
    from vireid.params import Dataset

    values = {"name": data_set_of(layout).names[-1], "layout": layout, "root": str(root), "trial": 0}
    values |= {"train_on_val": True, "gallery_draw": "seeded", "sixteen_bit": SIXTEEN_BIT}
    return Dataset(**values | choices)


def draw_dataset(root, train=TRAIN, val=VAL, test=TEST, images=IMAGES_PER_CAMERA):
    """Draw a data set in SYSU-MM01's layout; the stripes of an identity show in both modalities."""
    rng = np.random.default_rng(0)
    for camid, spectrum in CAMERAS.items():
        for pid in (*train, *val, *test):
            folder = root / f"cam{camid}" / f"{pid:04d}"
            folder.mkdir(parents=True)
            for number in range(1, images + 1):
                draw_image(pid, spectrum, rng).save(folder / f"{number:04d}.jpg", quality=95)
    (root / "exp").mkdir()
    for name, pids in (("train", train), ("val", val), ("test", test)):
        (root / "exp" / f"{name}_id.txt").write_text(",".join(map(str, pids)) + "\n")
    return root


def draw_regdb(root, train=(3, 40, 168), test=(7, 222), images=IMAGES_PER_CAMERA, trials=(1, 2)):
    """Draw a data set in RegDB's layout; even trials swap the splits."""
    rng = np.random.default_rng(0)
    lists = {}
    for folder, letter, spectrum in (("Visible", "v", "visible"), ("Thermal", "t", "infrared")):
        for pid in (*train, *test):
            (root / folder / str(pid)).mkdir(parents=True)
            lists[folder, pid] = [f"{folder}/{pid}/male_back_{letter}_{n:05d}_{pid}.bmp" for n in range(images)]
            for name in lists[folder, pid]:
                draw_image(pid, spectrum, rng).save(root / name)
    (root / "idx").mkdir()
    for trial in trials:
        for split, pids in zip(("train", "test"), (train, test) if trial % 2 else (test, train), strict=True):
            for folder in ("Visible", "Thermal"):
                lines = [f"{name} {label}" for label, pid in enumerate(pids) for name in lists[folder, pid]]
                (root / "idx" / f"{split}_{folder.lower()}_{trial}.txt").write_text("\n".join(lines) + "\n")
    return root


def draw_llcm(root, train=(1, 5, 9), test=(2, 14), images=1):
    """Draw a data set in LLCM's layout."""
    rng = np.random.default_rng(0)
    (root / "idx").mkdir(parents=True)
    (root / "idx" / "test_id.txt").write_text(",".join(map(str, test)) + "\n")
    for word, spectrum, camids in (("vis", "visible", range(1, 10)), ("nir", "infrared", (1, 2, *range(4, 10)))):
        lines = []
        for pid, camid, number in product((*train, *test), camids, range(images)):
            folder = f"{word}/{pid:04d}" if pid in train else f"test_{word}/cam{camid}/{pid:04d}"
            name = f"{folder}/{pid:04d}_c{camid:02d}_s{number:06d}_f{number}_{word}.jpg"
            (root / folder).mkdir(parents=True, exist_ok=True)
            draw_image(pid, spectrum, rng).save(root / name, quality=95)
            if pid in train:
                lines.append(f"{name} {train.index(pid)}")
        (root / "idx" / f"train_{word}.txt").write_text("\n".join(lines) + "\n")
    return root


def draw_image(pid, spectrum, rng):
    """Draw stripes whose direction and width belong to the identity; only visible images have colour."""
    angle, period = pid * 0.7, 3 + pid % 5
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    wave = np.sin(2 * np.pi * (x * np.cos(angle) + y * np.sin(angle)) / period)
    tint = rng.uniform(0.5, 1, 3) if spectrum == "visible" else np.ones(3)
    pixels = (0.5 + 0.4 * wave)[..., None] * tint + rng.normal(0, 0.03, (HEIGHT, WIDTH, 1))
    return Image.fromarray((pixels.clip(0, 1) * 255).astype(np.uint8))


def read_yaml(path):
    """Read a YAML file; what is returned may be changed."""
    return _parsed(path.read_bytes())()


@cache
def _parsed(content):
    values = YAML(typ="safe", pure=True).load(content)
    return partial(deepcopy, values)


def recipe_of(name: str, schedule: str = "scratch") -> dict:
    """Whole parameters of a method's preset under a schedule, on the embedded data set; they may be changed."""
    return deepcopy(_composed(name, schedule))


@cache
def _composed(name, schedule):
    composition = compose(CONF, {"schedule": schedule, "dataset": "synthetic", "method": name})
    return json.loads(json.dumps(composition.values))  # plain dicts, lists and numbers


def write_params(path, root, method=METHOD, **changes):
    """Write tiny parameters for a data set; `changes` are dotted keys with `__` for the dot."""
    path.parent.mkdir(parents=True, exist_ok=True)
    YAML().dump(tiny_values(root, method, **changes), path)
    return path


def tiny_params(root, method=METHOD, **changes):
    """Tiny parameters for a data set, checked as those of a file are."""
    from vireid.params import Params, check_section

    return check_section(Params, tiny_values(root, method, **changes), "tiny parameters", "correct the test")


def tiny_values(root, method=METHOD, **changes):
    """Tiny parameters for a data set as nested values; `changes` as of `write_params`."""
    values = recipe_of(method)
    values["model"] = tiny_model(values["method"], values["model"])
    values["dataset"]["root"] = str(root)
    for key, value in TINY.items():
        put(values, key, value)
    values["train"]["num_instances"] = min(values["train"]["num_instances"], 2)
    for key, value in changes.items():
        put(values, key.replace("__", "."), value)
    return values


def tiny_of(method: str) -> Callable[[dict], dict] | None:
    """What makes a section `model` of a method tiny: `tiny` of its own test folder, if it has one."""
    if not (ROOT / "tests" / "methods" / method / "tiny.py").is_file():
        return None
    return import_module(f"tests.methods.{method}.tiny").tiny


def tiny_model(method: str, model: dict) -> dict:
    """A section `model` of a method made tiny, or as it is where the method says nothing of it."""
    tiny = tiny_of(method)
    return tiny(model) if tiny else model


def small_trunk(model: dict, **changes) -> dict:
    """A section `model` with the smallest trunk, from scratch, and with changes of the trunk."""
    return model | {"trunk": model["trunk"] | {"name": "resnet10_half", "pretrained": False} | changes}


def built_trunk(name: str, pretrained: bool | str = False, last_stride: int = 2):
    """A trunk by its settings."""
    from vireid.backbones.trunks import TrunkSettings, build_trunk

    return build_trunk(TrunkSettings(name=name, pretrained=pretrained, last_stride=last_stride))


def built_small(settings):
    """Build the method of whole parameters for 4 identities, tiny."""
    from vireid.methods import build_method

    torch.manual_seed(0)
    model = tiny_model(settings["method"], deepcopy(settings["model"]))
    return build_method(settings["method"], 4, model, settings["loss"])


def put(values, key, value):
    """Set a dotted key; the sections on the way exist."""
    *sections, last = key.split(".")
    for section in sections:
        values = values[section]
    values[last] = value


def tree(folder: Path):
    """Every file of a folder with its bytes."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def edit_list(root, name, old, new):
    """Replace the first occurrence of a text in a list of `idx`; it must be there."""
    path = root / "idx" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
