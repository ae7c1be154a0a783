"""Every stage on a tiny data set of each layout, in both directions; models of another trial. CPU, 20 s."""

import json

import numpy as np
import pytest
from scipy.io import savemat

from tests.made import draw_dataset, draw_image, draw_llcm, draw_regdb, write_params

STAGES = ("ingest", "superresolve", "train", "extract", "evaluate")
TRAIN, TEST = tuple(range(1, 11)), (11, 12, 13)


def draw_manifest(root):
    rng = np.random.default_rng(0)
    lines = ["path,pid,camid,modality,split,location"]
    root.mkdir()
    for pid in (*TRAIN, *TEST):
        for camid, spectrum in ((1, "visible"), (2, "infrared"), (3, "infrared")):
            name = f"{pid}_{camid}.png"
            draw_image(pid, spectrum, rng).save(root / name)
            lines.append(f"{name},{pid},{camid},{spectrum},{'train' if pid in TRAIN else 'test'},{min(camid, 2)}")
    (root / "manifest.csv").write_text("\n".join(lines))


DRAW = {
    "regdb": lambda root: draw_regdb(root, TRAIN, TEST, trials=(1, 3)),
    "llcm": lambda root: draw_llcm(root, TRAIN, TEST),
    "manifest": draw_manifest,
}
QUERIES = {
    "regdb": {"visible_to_infrared": 6, "infrared_to_visible": 6},
    "llcm": {"visible_to_infrared": 27, "infrared_to_visible": 24, "visible_to_infrared_as_released": 24},
    "manifest": {"visible_to_infrared/all_images": 3, "infrared_to_visible/single_shot": 6},
}


def write(project, layout, trial):
    """Write the tiny parameters of a layout."""
    write_params(
        project / "params.yaml",
        "data",
        dataset__name=layout,
        dataset__layout=layout,
        dataset__trial=trial,
        superresolve__enabled=False,
        evaluate__protocols=[f"{layout}/{name}" for name in QUERIES[layout]],
        evaluate__ranks=[1, 3],
    )


@pytest.mark.parametrize("layout", QUERIES)
def test_layout_goes_through_every_stage(stage, workplace, layout):
    DRAW[layout](workplace / "data")
    write(workplace, layout, int(layout == "regdb"))
    for name in (*STAGES, "figures"):
        result = stage(name)
        assert result.exit_code == 0, result.output
    found = json.loads((workplace / "results/evaluation.json").read_text())
    assert (found["dataset"], found["trial"]) == (layout, int(layout == "regdb"))
    queries = {name: found["protocols"][f"{layout}/{name}"]["queries"] for name in QUERIES[layout]}
    assert queries == QUERIES[layout]
    assert all(protocol["skipped_queries"] == 0 for protocol in found["protocols"].values())


def test_official_galleries_reach_the_results(stage, fails, workplace):
    root = draw_dataset(workplace / "data", TRAIN, (14,), TEST, images=2)
    cells = np.empty((6, 1), object)
    for camid in range(6):
        cells[camid, 0] = np.empty((13, 1), object)
        cells[camid, 0].fill(np.array([[2, 1]] * 9 + [[1, 2]], np.uint8))
    savemat(root / "exp" / "rand_perm_cam.mat", {"rand_perm_cam": cells})
    protocols = ["synthetic/all_search/single_shot"]
    choices = {"evaluate__protocols": protocols, "evaluate__ranks": [1], "superresolve__enabled": False}
    write_params(workplace / "params.yaml", "data", dataset__gallery_draw="official", **choices)
    for name in STAGES:
        result = stage(name)
        assert result.exit_code == 0, result.output
    found = json.loads((workplace / "results/evaluation.json").read_text())["protocols"][protocols[0]]
    assert found["protocol"]["gallery_draw"] == "official"
    hashes = [trial["gallery_hash"] for trial in found["trials"]]
    assert (len(set(hashes[:9])), len(set(hashes))) == (1, 2)
    (root / "exp" / "rand_perm_cam.mat").unlink()
    write_params(workplace / "params.yaml", "data", **choices)
    for name in ("ingest", "extract"):
        stage(name)
    write_params(workplace / "params.yaml", "data", dataset__gallery_draw="official", **choices)
    fails(stage("evaluate"), "do not hold the official galleries")


def test_model_of_another_trial_is_refused_in_extract_and_its_features_afterwards(stage, fails, workplace):
    DRAW["regdb"](workplace / "data")
    write(workplace, "regdb", 1)
    for name in STAGES[:4]:
        assert stage(name).exit_code == 0
    for path in (workplace / "data" / "idx").glob(
        "*_3.txt"
    ):  # the same identities, so that only the trial differs
        path.write_bytes(path.with_name(path.name.replace("_3", "_1")).read_bytes())
    write(workplace, "regdb", 3)
    assert stage("ingest").exit_code == 0
    for name in ("evaluate", "figures"):
        fails(stage(name), "trial 1", "trial 3")
    fails(stage("extract"), "another trial")
