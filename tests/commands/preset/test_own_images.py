"""`vireid preset` of a folder of own images sets values that fit it. CPU, seconds."""

import numpy as np
import pytest

from tests.commands.preset.made import comments, preset
from tests.made import ROOT, draw_dataset, draw_image, read_yaml
from vireid.layers import flat
from vireid.params import load_params


def own_images(root, count, camid=2):
    """Write a manifest of `count` identities, half of them for training, with two images of two cameras each."""
    root.mkdir(parents=True)
    lines = ["path,pid,camid,modality,split"]
    for pid in range(count):
        for modality, number in (("visible", camid), ("infrared", camid + 1)):
            for image in range(2):
                name = f"{pid}_{modality}_{image}.png"
                draw_image(pid, modality, np.random.default_rng(0)).save(root / name)
                lines.append(f"{name},{pid},{number},{modality},{'train' if pid < count // 2 else 'test'}")
    (root / "manifest.csv").write_text("\n".join(lines) + "\n")
    return root


def test_folder_of_own_images_is_set_with_values_that_fit_it(project):
    own_images(project / "photos", 26)
    result = preset("dataset=manifest", "dataset.root=photos")
    assert result.exit_code == 0, result.output
    params = load_params(project / "params.yaml")
    assert params.dataset.root == "photos"
    assert (params.train.holdout_pids, params.train.num_pids) == (2, 11)
    assert (params.superresolve.camera, params.superresolve.holdout_pids) == (2, 2)
    assert "train.holdout_pids: 40 -> 2  (the data set has 13 training identities)" in result.stdout
    assert "superresolve.camera: 1 -> 2  (the visible cameras are 2)" in result.stdout
    assert "rank 20 is left blank" in result.stderr
    assert "warning" not in result.stderr
    assert comments((project / "params.yaml").read_text()) == comments((ROOT / "params.yaml").read_text())


def test_what_fits_already_stays(project):
    own_images(project / "photos", 26, camid=1)
    preset("dataset=manifest", "schedule=smoke", "superresolve=off")
    before = flat(read_yaml(project / "params.yaml"))
    result = preset("dataset.root=photos", "method=baseline")
    after = flat(read_yaml(project / "params.yaml"))
    changed = {key for key in before if before[key] != after.get(key)}
    assert {key for key in changed if key.startswith(("superresolve", "evaluate"))} == set()
    assert after["train.num_pids"] == 4
    assert after["train.holdout_pids"] == 2  # 4 of 13 are more than a quarter
    assert result.exit_code == 0


def test_embedded_data_set_keeps_its_parameters(project):
    draw_dataset(project / "large", train=tuple(range(1, 161)), val=(161,), test=(162, 163), images=1)
    before = flat(read_yaml(project / "params.yaml"))
    assert preset("dataset.root=large").exit_code == 0
    after = flat(read_yaml(project / "params.yaml"))
    assert {key for key in before if before[key] != after[key]} == {"dataset.root"}


def test_data_set_too_small_for_anything_is_warned_of(project):
    own_images(project / "photos", 2)
    result = preset("dataset=manifest", "dataset.root=photos")
    assert result.exit_code == 0
    assert "warning: train.holdout_pids: too few training identities" in result.stderr
    assert read_yaml(project / "params.yaml")["superresolve"]["enabled"] is False


def test_folder_outside_the_project_is_written_whole(project, tmp_path_factory, monkeypatch):
    root = own_images(tmp_path_factory.mktemp("elsewhere") / "a [1], b", 26)
    monkeypatch.setenv("HOME", str(root.parent))
    for given in (str(root), f"{root}/", "~/a [1], b", f"{root}/../{root.name}"):
        result = preset("dataset=manifest", f"dataset.root={given}")
        assert result.exit_code == 0, result.output
        assert load_params(project / "params.yaml").dataset.root == str(root)


@pytest.mark.parametrize("root", ["", "nowhere", "params.yaml", "."])
def test_what_is_no_folder_of_images_leaves_the_parameters_untouched(project, root):
    before = (project / "params.yaml").read_bytes()
    result = preset("dataset=manifest", f"dataset.root={root}")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr
    assert (project / "params.yaml").read_bytes() == before


def test_folder_that_is_not_there_is_named_as_it_was_understood(project, monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    assert "expected: a folder /home/somebody/photos" in preset("dataset.root=~/photos").stderr
