"""The real data sets' identities, file names and numbers of images, with tiny pictures. About half a minute."""

import io
import shutil
from itertools import cycle, islice, product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.made import ROOT, dataset_at
from vireid.data.ingest import pack_images
from vireid.data.statistics import describe
from vireid.datasets.find import find_images
from vireid.params import Ingest

pytestmark = pytest.mark.slow

LISTS = ROOT.parent / "shared" / "sysu-mm01"
TINY = Ingest(height=33, width=33, on_bad_image="error")


def draw(root, names):
    """Write a picture of 4 x 8 pixels under each name, each with bytes of its own."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((20, 40)).save(buffer, "BMP")
    for folder in {name.rpartition("/")[0] for name in names}:
        (root / folder).mkdir(parents=True)
    for name in names:
        (root / name).write_bytes(buffer.getvalue() + name.encode())


def ingested(root, layout, tmp_path, **choices):
    """Ingest with two workers; return what `results/dataset.json` says."""
    dataset = dataset_at(root, layout, **choices)
    packed = pack_images(find_images(dataset), dataset, TINY, 2, tmp_path / "images.h5")
    return describe(packed, dataset, TINY)


def counts(statistics, split):
    """Return the visible and infrared images and the identities of a split."""
    found = statistics["splits"][split]
    modalities = found["modalities"].values()
    return *(modality["images"] for modality in modalities), found["identities"]


@pytest.mark.skipif(not LISTS.is_dir(), reason="needs SYSU-MM01's official split and galleries")
def test_sysu_mm01_has_its_published_numbers(tmp_path):
    from scipy.io import loadmat

    root = tmp_path / "sysu"
    cells = loadmat(LISTS / "rand_perm_cam.mat")["rand_perm_cam"]
    names = []
    for camid, pids in enumerate(cells[:, 0], 1):
        for pid, shuffles in enumerate(pids[:, 0], 1):
            names += [f"cam{camid}/{pid:04d}/{number:04d}.jpg" for number in range(1, shuffles.shape[1] + 1)]
    assert len(names) == 45_863
    draw(root, names)
    (root / "exp").mkdir()
    for name in ("train_id.mat", "test_id.mat", "rand_perm_cam.mat"):
        shutil.copy(LISTS / name, root / "exp")
    (root / "exp" / "val_id.txt").write_text(",".join(str(pid) for pid in range(334, 434) if pid != 347))

    found = ingested(root, "sysu_mm01", tmp_path, gallery_draw="official")
    assert counts(found, "train") == (22_258, 11_909, 395)
    assert counts(found, "test") == (6_775, 3_803, 96)
    cameras = found["splits"]["test"]["modalities"]
    assert {camid: c["images"] for camid, c in cameras["infrared"]["cameras"].items()} == {"3": 1883, "6": 1920}
    assert [c["identities"] for c in cameras["visible"]["cameras"].values()] == [56, 56, 94, 95]
    assert found["warnings"] == []
    without_validation = find_images(dataset_at(root, train_on_val=False))
    assert sum(record.split == "train" for record in without_validation) == 20_284 + 9_929


def test_regdb_has_its_published_numbers_in_every_trial(tmp_path):
    root, folders = tmp_path / "regdb", {"Visible": "v", "Thermal": "t"}
    numbered = [
        (folder, pid, f"{folder}/{pid}/male_back_{letter}_{number:05d}_{pid}.bmp")
        for (folder, letter), pid, number in product(folders.items(), range(1, 413), range(10))
    ]
    draw(root, [name for *_, name in numbered])
    (root / "idx").mkdir()
    for trial in range(1, 11):
        order = (np.random.default_rng(trial).permutation(412) + 1).tolist()
        for split, pids in (("train", sorted(order[:206])), ("test", sorted(order[206:]))):
            label_of = {pid: label for label, pid in enumerate(pids)}
            for folder in folders:
                lines = [
                    f"{n} {label_of[pid]}" for where, pid, n in numbered if where == folder and pid in label_of
                ]
                (root / "idx" / f"{split}_{folder.lower()}_{trial}.txt").write_text("\n".join(lines) + "\n")

    found = ingested(root, "regdb", tmp_path, trial=7)
    assert counts(found, "train") == counts(found, "test") == (2_060, 2_060, 206)
    assert found["splits"]["train"]["images"] == 4_120
    assert found["warnings"] == []
    for trial in range(1, 11):
        assert len(find_images(dataset_at(root, "regdb", trial=trial))) == 8_240


LLCM = {  # split, word -> number of images, and cameras
    ("train", "vis"): (16_946, range(1, 10)),
    ("train", "nir"): (13_975, (1, 2, *range(4, 10))),
    ("test", "vis"): (8_680, range(1, 10)),
    ("test", "nir"): (7_166, (1, 2, *range(4, 10))),
}


def test_llcm_has_its_published_numbers(tmp_path):
    root = tmp_path / "llcm"
    pids = {"train": range(713), "test": range(713, 1064)}
    (root / "idx").mkdir(parents=True)
    (root / "idx" / "test_id.txt").write_text(",".join(map(str, pids["test"])))
    for (split, word), (number, camids) in LLCM.items():
        places = islice(enumerate(cycle(product(camids, pids[split]))), number)
        folder = {"train": f"{word}/{{1:04d}}", "test": f"test_{word}/cam{{0}}/{{1:04d}}"}[split]
        names = [
            (folder + "/{1:04d}_c{0:02d}_s{2:06d}_f{2}_{3}.jpg").format(camid, pid, count, word)
            for count, (camid, pid) in places
        ]
        draw(root, names)
        if split == "train":
            lines = [f"{name} {int(Path(name).parent.name)}" for name in names]
            (root / "idx" / f"train_{word}.txt").write_text("\n".join(lines) + "\n")

    found = ingested(root, "llcm", tmp_path)
    assert counts(found, "train") == (16_946, 13_975, 713)
    assert counts(found, "test") == (8_680, 7_166, 351)
    assert found["images"] == 46_767
    assert found["warnings"] == []
