"""The stage `check`: everything that would stop a run is told at once, and before anything works. CPU, seconds."""

import shutil

import pytest
from ruamel.yaml import YAML

from tests.made import METHOD, draw_dataset, read_yaml, tree, write_params
from vireid.methods import method_names

REGDB = "regdb/visible_to_infrared"


@pytest.fixture
def empty(workplace, dataset):
    """A project before its first stage."""
    write_params(workplace / "params.yaml", dataset)
    return workplace


@pytest.fixture
def change(empty, dataset):
    """Write the parameters anew, with dotted keys changed (`__` for the dot)."""

    def write(root=dataset, method=METHOD, **changes):
        write_params(empty / "params.yaml", root, method, **changes)

    return write


def test_help_names_what_is_read_and_written(stage):
    text = stage("check", "--help").stdout
    for part in ("dataset.root", "artifacts/checked", "dvc.lock"):
        assert part in text


def test_output_is_the_same_whatever_the_parameters(stage, empty, change):
    assert stage("check").exit_code == 0
    before = tree(empty)
    assert set(before) == {"params.yaml", "artifacts/checked"}
    change(method="baseline", seed=7, train__holdout_pids=2)
    assert stage("check").exit_code == 0
    assert tree(empty)["artifacts/checked"] == before["artifacts/checked"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"train__epochs": -1}, ["train.epochs", "found:    -1"]),
        ({"loss__lambda9": 1.0}, ["lambda9"]),
        ({"model__joint_dims": []}, ["joint_dims"]),
        ({"model__svd__cycles": 3}, ["svd"]),
        ({"root": "/nowhere"}, ["/nowhere: the data set is missing"]),
        ({"root": ""}, ["dataset.root"]),
        (
            {
                "dataset__name": "regdb",
                "dataset__layout": "regdb",
                "dataset__trial": 1,
                "evaluate__protocols": [REGDB],
            },
            ["RegDB"],
        ),
        ({"dataset__name": "regdb"}, ["dataset.name", "one of sysu_mm01, synthetic"]),
        ({"dataset__trial": 3}, ["dataset.trial"]),
        ({"dataset__gallery_draw": "official"}, ["rand_perm_cam.mat"]),
        ({"evaluate__protocols": ["synthetic/all"]}, ["unknown protocol", "synthetic/indoor_search/multi_shot"]),
        ({"evaluate__protocols": [REGDB]}, ["for another data set"]),
        (
            {"evaluate__embedding": "pool5+stage9"},
            ["fprnet has no embedding `stage9`", "joint, single, pool5, default"],
        ),
        ({"train__holdout_pids": 40}, ["12 - 40", "for example to 2 and 4"]),
        ({"train__num_pids": 13}, ["12 - 4", "for example to 2 and 10"]),
        ({"superresolve__holdout_pids": 12}, ["superresolve.holdout_pids", "fewer than 12", "for example to 2"]),
        ({"superresolve__camera": 3}, ["superresolve.camera", "one of 1, 2, 4, 5"]),
        ({"superresolve__patch": 36}, ["superresolve.patch", "at most 32"]),
    ],
)
def test_what_would_stop_the_run_is_told_and_nothing_is_written(stage, fails, empty, change, changes, parts):
    change(**changes)
    before = tree(empty)
    fails(stage("check"), *parts, "Earlier results are as they were")
    assert tree(empty) == before


def test_unknown_method_is_told_with_the_known_ones(stage, fails, empty):
    path = empty / "params.yaml"
    path.write_text(path.read_text().replace(f"method: {METHOD}", "method: nope"))
    fails(stage("check"), "no such method", ", ".join(method_names()))


def test_missing_device_is_told(stage, fails, change, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    change(compute__device="cuda")
    fails(stage("check"), "compute.device")


def test_everything_is_told_at_once(stage, fails, change):
    change(
        loss__lambda9=1.0,
        evaluate__protocols=["synthetic/all", REGDB],
        train__holdout_pids=40,
        superresolve__holdout_pids=40,
    )
    result = stage("check")
    message = fails(result, "params.yaml: 5 things are wrong")
    assert [f"{number}. " in message for number in range(1, 6)] == [True] * 5
    for part in ("lambda9", "unknown protocol", "another data set", "12 - 40", "superresolve.holdout_pids"):
        assert part in message


def test_missing_data_set_hides_no_other_mistake(stage, fails, change):
    choices = {"dataset__layout": "regdb", "dataset__train_on_val": False, "dataset__gallery_draw": "official"}
    change(root="/nowhere", loss__lambda9=1.0, evaluate__protocols=["synthetic/all"], **choices)
    message = fails(stage("check"), "7 things are wrong", "/nowhere", "lambda9", "unknown protocol")
    for choice in ("dataset.name", "dataset.trial", "dataset.train_on_val", "dataset.gallery_draw"):
        assert choice in message


@pytest.mark.parametrize("root", ["~/images", "~", "$HOME/images", "${HOME}/images"])
def test_folder_that_only_a_shell_would_find_is_refused_with_the_absolute_path(
    stage, fails, change, monkeypatch, root
):
    monkeypatch.setenv("HOME", "/home/user")
    change(root=root)
    absolute = "/home/user" if root == "~" else "/home/user/images"
    fails(stage("check"), "dataset.root", absolute, repr(root))


@pytest.mark.parametrize("name", ["with space", "a[1]", "a,b", "it's", "x=y", "ünïcode", "a$b", "~x", "a/"])
def test_folder_of_an_unusual_name_is_as_good_as_any(stage, empty, change, dataset, name):
    shutil.copytree(dataset, empty / name)
    change(root=name)
    result = stage("check")
    assert result.exit_code == 0, result.output


def test_no_match_in_the_gallery_is_told_before_the_training(stage, fails, empty, change):
    root = draw_dataset(empty / "data", test=(13, 14))
    for camid in (1, 2, 4, 5):
        shutil.rmtree(root / f"cam{camid}" / "0013")
    for camid in (3, 6):
        shutil.rmtree(root / f"cam{camid}" / "0014")
    change(root="data", evaluate__protocols=["synthetic/all_search/single_shot"])
    fails(stage("check"), "no query has a match")


def manifest(root, camid_of_infrared, test_split="test"):
    """Ten training and two test identities, a visible camera 1, and an infrared camera."""
    lines = ["path,pid,camid,modality,split"]
    root.mkdir()
    for pid in range(12):
        for camid, modality in ((1, "visible"), (camid_of_infrared, "infrared")):
            name = f"{pid}_{modality}.png"
            (root / name).write_bytes(b"not looked at")
            lines.append(f"{name},{pid},{camid},{modality},{'train' if pid < 10 else test_split}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("camid", "split", "message"),
    [(1, "test", "no query has a match"), (2, "train", "no query image")],
)
def test_own_images_that_could_not_be_evaluated_are_told(stage, fails, empty, change, camid, split, message):
    manifest(empty / "data", camid, split)
    names = ["manifest/visible_to_infrared/all_images"]
    change(root="data", dataset__name="manifest", dataset__layout="manifest", evaluate__protocols=names)
    fails(stage("check"), message)


def test_identity_without_one_modality_is_told(stage, fails, empty, change):
    root = draw_dataset(empty / "data")
    for camid in (3, 6):
        shutil.rmtree(root / f"cam{camid}" / "0005")
    change(root="data")
    fails(stage("check"), "1 identities lack one modality", "identities 5")


@pytest.mark.parametrize("embedding", ["pool5", "joint+pool5", "default+pool5"])
def test_embedding_of_the_method_is_let_pass(stage, change, embedding):
    change(evaluate__embedding=embedding)
    assert stage("check").exit_code == 0


def test_camera_and_patch_do_not_matter_without_super_resolution(stage, change):
    change(superresolve__enabled=False, superresolve__camera=3, superresolve__holdout_pids=99)
    assert stage("check").exit_code == 0


def test_large_share_of_held_out_identities_is_said_and_a_small_one_is_not(stage, change):
    change(train__holdout_pids=3)
    result = stage("check")
    assert "note: train.holdout_pids: 3 of 12 training identities (25 %) are held out, so 9 are" in result.stderr
    change(train__holdout_pids=2, evaluate__ranks=[1])
    assert stage("check").stderr == ""


def test_rank_beyond_a_gallery_is_a_note(stage, change):
    change(
        train__holdout_pids=2, evaluate__ranks=[1, 2, 5], evaluate__protocols=["synthetic/all_search/multi_shot"]
    )
    result = stage("check")
    assert result.exit_code == 0
    assert "rank 5 is left blank" in result.stderr
    assert "synthetic/all_search/multi_shot (2)" in result.stderr
    assert "rank 2" not in result.stderr


def test_change_since_the_last_passed_check_is_told(stage, fails, empty, change):
    passed = read_yaml(empty / "params.yaml")
    YAML().dump({"stages": {"check": {"params": {"params.yaml": passed}}}}, empty / "dvc.lock")
    change(train__epochs=-1, seed=9)
    message = fails(
        stage("check"), "Changed since this check last passed", "train.epochs: 2 -> -1", "seed: 0 -> 9"
    )
    assert "dvc exp run -S KEY=VALUE" in message
    assert "train.lr:" not in message


def test_what_the_error_names_is_told_first_however_much_was_changed(stage, fails, empty, change):
    passed = read_yaml(empty / "params.yaml")
    YAML().dump({"stages": {"check": {"params": {"params.yaml": passed}}}}, empty / "dvc.lock")
    loss = {f"loss__a{number}": [0] * 100 for number in range(12)}
    change(train__weight_decay=-1.0, **loss)
    told = fails(stage("check"), "train.weight_decay").split("Changed since this check last passed:\n")[1]
    lines = [line.strip() for line in told.splitlines()]
    assert lines[0].startswith("train.weight_decay: ")
    assert lines[0].endswith("-> -1.0")
    assert lines[-1] == "and 2 more"
    assert len(lines) == 12
    assert all(len(line) < 100 for line in lines)


def test_added_key_is_to_be_taken_out_rather_than_set_back(stage, fails, empty, change):
    passed = read_yaml(empty / "params.yaml")
    YAML().dump({"stages": {"check": {"params": {"params.yaml": passed}}}}, empty / "dvc.lock")
    change(train__warmup=3)
    assert "dvc exp run -S '~train.warmup'" in fails(stage("check"), "train.warmup: (none) -> 3")


@pytest.mark.parametrize("lock", ["stages:\n  ingest: {}\n", "<<<<<<< HEAD\n: [", "", "- 1\n"])
def test_lock_file_without_a_passed_check_is_no_second_error(stage, fails, empty, change, lock):
    (empty / "dvc.lock").write_text(lock)
    change(train__epochs=-1)
    assert "Changed since" not in fails(stage("check"), "train.epochs")


@pytest.mark.parametrize("text", ["seed: [", "", "- 1\n"])
def test_parameters_that_are_no_parameters_are_one_message(stage, fails, empty, text):
    (empty / "dvc.lock").write_text("stages: {check: {params: {params.yaml: {seed: 0}}}}")
    (empty / "params.yaml").write_text(text)
    fails(stage("check"), "params.yaml")
