"""`vireid preset`: every choice merges and validates, and only what it should change changes. CPU, seconds."""

import re
import shutil
from itertools import combinations

import numpy as np
import pytest
from dvc.utils.hydra import apply_overrides
from typer.testing import CliRunner

from tests.made import CONF, ROOT, draw_dataset, draw_image, read_yaml, recipe_of
from vireid.cli import app
from vireid.layers import GROUPS, compose, decided_keys, flat
from vireid.methods import method_names
from vireid.params import load_params

CHOICES = {group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")) for group in GROUPS}
SINGLE = [(group, name) for group, names in CHOICES.items() for name in names]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A copy of params.yaml brought to the schedule `scratch` of FPRnet; not to be changed."""
    path = tmp_path_factory.mktemp("start") / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    choices = ("dataset=synthetic", "method=fprnet", "schedule=scratch", "superresolve=default")
    assert preset(*choices, "--params", str(path), "--conf", str(ROOT / "conf")).exit_code == 0
    return path


@pytest.fixture
def project(start, tmp_path, monkeypatch):
    """A copy of `start` and of conf/ as the working directory."""
    shutil.copy(start, tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def preset(*choices):
    return CliRunner().invoke(app, ["preset", *choices])


def difference(before, after):
    """Keys whose values differ."""
    before, after = flat(before), flat(after)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def comments(text):
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


def test_every_method_has_a_preset_of_its_name_and_none_is_without_a_method():
    assert set(method_names()) <= set(CHOICES["method"])
    assert {recipe_of(name)["method"] for name in CHOICES["method"]} == set(method_names())
    assert {*CHOICES, "experiments", "base.yaml"} == {path.name for path in CONF.iterdir()}


def test_only_a_method_decides_what_another_group_decides_too():
    """So the order of the other layers does not matter."""
    keys = {group: decided_keys(CONF, group, CHOICES[group]) for group in GROUPS}
    for one, other in combinations(GROUPS, 2):
        assert "method" in (one, other) or keys[one].isdisjoint(keys[other])


@pytest.mark.parametrize("name", [name for name in CHOICES["method"] if "trunk" in recipe_of(name)["model"]])
def test_demo_starts_from_imagenet_weights_and_scratch_from_random_ones(name):
    demo, scratch = (recipe_of(name, schedule)["model"]["trunk"] for schedule in ("demo", "scratch"))
    assert (demo["name"], demo["pretrained"]) == ("timm:tf_efficientnet_lite0", True)
    assert (scratch["name"], scratch["pretrained"]) == ("resnet10_half", False)


@pytest.mark.parametrize("recipe", CHOICES["method"])
@pytest.mark.parametrize("schedule", CHOICES["schedule"])
def test_every_combination_is_valid_and_what_the_layers_compose(project, recipe, schedule):
    # Data set and superresolve share no key with another group, so products of all four tell no more. Over the
    # schedules, every data set meets every choice of superresolve.
    first = CHOICES["schedule"].index(schedule)
    for place, dataset in enumerate(CHOICES["dataset"]):
        superresolve = CHOICES["superresolve"][(first + place) % len(CHOICES["superresolve"])]
        chosen = {"dataset": dataset, "superresolve": superresolve, "method": recipe, "schedule": schedule}
        result = preset(*(f"{group}={name}" for group, name in chosen.items()))
        assert result.exit_code == 0, result.stderr
        params = load_params(project / "params.yaml")
        assert (params.recipe, params.schedule, params.dataset.name) == (recipe, schedule, dataset)
        assert flat(read_yaml(project / "params.yaml")) == flat(compose(CONF, chosen).values)


@pytest.mark.parametrize(("group", "name"), SINGLE)
def test_comments_are_kept_there_and_back(project, group, name):
    before = (project / "params.yaml").read_text()
    back = read_yaml(project / "params.yaml")
    default = {"dataset": "synthetic", "superresolve": "default"}.get(group) or back[group]
    assert preset(f"{group}={name}").exit_code == 0
    assert comments((project / "params.yaml").read_text()) == comments(before)
    assert preset(f"{group}={default}").exit_code == 0
    assert (project / "params.yaml").read_text() == before


@pytest.mark.parametrize(
    "override", ["dataset.trial=0", "dataset.sixteen_bit.window=[7200,8100]", "evaluate.ranks=[1]", "+loss.x=1"]
)
def test_comments_are_kept_in_a_file_that_dvc_has_written(project, override):
    """As `dvc exp run -S` leaves params.yaml."""
    path = project / "params.yaml"
    lines = comments(path.read_text())
    apply_overrides(path, [override])
    assert comments(path.read_text()) == lines
    apply_overrides(path, ["~loss.x"] if "loss" in override else [])
    for name in CHOICES["dataset"]:
        assert preset(f"dataset={name}").exit_code == 0
        assert comments(path.read_text()) == lines
        assert load_params(path).dataset.name == name


def test_value_that_is_there_already_stays_as_it_is_written(project):
    path = project / "params.yaml"
    path.write_text(
        path.read_text().replace("    window:\n    - 0\n    - 65535\n", "    window: [0, 65535] # all\n")
    )
    before = path.read_text()
    preset("dataset=llcm")
    preset("dataset=synthetic")
    assert path.read_text() == before


def test_what_was_edited_and_stays_is_said_with_the_presets_value(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.07").replace("dropout: 0.0", "dropout: 0.25"))
    printed = preset("dataset=llcm").stdout
    assert "kept as edited: train.lr: 0.07  (conf/base.yaml has 0.1)" in printed
    assert "kept as edited: superresolve.dropout: 0.25  (conf/base.yaml has 0.0)" in printed
    assert "kept" not in preset("method=fprnet", "superresolve=default").stdout


def test_keys_keep_their_order(project):
    before = list(read_yaml(project / "params.yaml"))
    preset("method=baseline", "schedule=paper")
    assert list(read_yaml(project / "params.yaml")) == before


@pytest.mark.parametrize(
    ("choice", "sections"),
    [
        ("dataset=sysu_mm01", {"dataset", "evaluate"}),
        ("superresolve=paper", {"superresolve"}),
        ("superresolve=off", {"superresolve"}),
        ("method=baseline", {"method", "recipe", "model", "loss", "train"}),
        ("method=fprnet_release", {"recipe", "model", "loss"}),
        ("schedule=paper", {"schedule", "ingest", "superresolve", "extract", "model", "train"}),
        ("schedule=smoke", {"schedule", "ingest", "superresolve", "train"}),
    ],
)
def test_only_the_intended_sections_change(project, choice, sections):
    before = read_yaml(project / "params.yaml")
    result = preset(choice)
    changed = difference(before, read_yaml(project / "params.yaml"))
    assert {key.split(".")[0] for key in changed} == sections
    assert {line.split(":")[0] for line in result.stdout.splitlines()} == changed


def test_method_leaves_hand_edited_image_sizes_alone(project):
    path = project / "params.yaml"
    height = load_params(path).ingest.height
    path.write_text(path.read_text().replace(f"height: {height}", f"height: {height + 8}", 1))
    assert load_params(path).ingest.height == height + 8
    preset("method=baseline")
    assert load_params(path).ingest.height == height + 8


def test_method_takes_back_the_image_sizes_that_the_former_one_had_set(project):
    path = project / "params.yaml"
    before = load_params(path).ingest
    preset("method=hpiln_hacnn")
    assert (load_params(path).ingest.height, load_params(path).ingest.width) == (160, 64)
    preset("method=tffn")
    assert load_params(path).ingest == before


def test_data_set_keeps_nothing_that_was_chosen_of_another_one(project):
    path = project / "params.yaml"
    text = path.read_text()
    for old, new in (
        ("train_on_val: true", "train_on_val: false"),
        ("gallery_draw: seeded", "gallery_draw: official"),
        ("scaling: percentiles", "scaling: full"),
    ):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    assert preset("dataset=synthetic_regdb").exit_code == 0
    dataset = load_params(path).dataset
    assert (dataset.train_on_val, dataset.gallery_draw, dataset.sixteen_bit.scaling) == (
        True,
        "seeded",
        "percentiles",
    )


def test_sections_of_the_method_are_replaced_whole(project):
    preset("method=baseline")
    values = read_yaml(project / "params.yaml")
    assert "fusion" not in values["model"]
    assert set(values["loss"]) == {"identity", "triplet", "margin", "label_smoothing"}


def test_schedule_and_method_may_be_given_in_either_order(project):
    preset("method=baseline", "schedule=paper")
    first = (project / "params.yaml").read_text()
    preset("method=fprnet", "schedule=scratch")
    preset("schedule=paper", "method=baseline")
    assert (project / "params.yaml").read_text() == first


@pytest.mark.parametrize("name", CHOICES["method"])
def test_schedule_alone_keeps_to_the_recipe_in_force(project, name):
    preset(f"method={name}", "schedule=paper")
    expected = (project / "params.yaml").read_text()
    preset(f"method={name}", "schedule=scratch")
    assert preset("schedule=paper").exit_code == 0
    assert (project / "params.yaml").read_text() == expected


def test_recipe_that_has_no_preset_is_named_with_the_known_ones(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("recipe: fprnet", "recipe: mine"))
    result = preset("schedule=paper")
    assert result.exit_code == 1
    assert "mine" in result.stderr
    assert all(name in result.stderr for name in CHOICES["method"])


def test_choosing_what_is_in_force_changes_nothing_and_says_nothing(project):
    before = (project / "params.yaml").read_bytes()
    result = preset("method=fprnet")
    assert result.stdout == ""
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("choice", ["backbone=resnet50", "method", "=fprnet", "methods=fprnet", ""])
def test_unknown_group_is_refused_with_the_known_ones(project, choice):
    result = preset(choice)
    assert result.exit_code == 1
    assert all(group in result.stderr for group in GROUPS)
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", ["nothing", "", "../method/fprnet"])
def test_unknown_name_is_refused_with_the_known_ones(project, group, name):
    before = (project / "params.yaml").read_bytes()
    result = preset("superresolve=off", f"{group}={name}")
    assert result.exit_code == 1
    assert all(known in result.stderr for known in CHOICES[group])
    assert (project / "params.yaml").read_bytes() == before


def broken(project, old, new):
    path = project / "conf" / "method" / "baseline.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("epochs: 40", "epochs: many", "train.epochs"),
        ("epochs: 40", "epoch: 40", "epoch"),
        ("share_from: 1", "share_from: 9", "share_from"),
        ("margin: 0.3", "margin_: 0.3", "margin_"),
    ],
)
def test_invalid_result_leaves_the_parameters_untouched(project, old, new, named):
    broken(project, old, new)
    files = sorted(path.name for path in project.iterdir())
    before = (project / "params.yaml").read_bytes()
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert named in result.stderr
    assert "Traceback" not in result.stderr
    assert (project / "params.yaml").read_bytes() == before
    assert sorted(path.name for path in project.iterdir()) == files


def test_parameters_that_are_already_wrong_are_refused(project):
    path = project / "params.yaml"
    path.write_text(path.read_text() + "typo: 1\n")
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert "typo" in result.stderr


def test_missing_parameters_are_refused(project):
    (project / "params.yaml").unlink()
    result = preset("method=baseline")
    assert result.exit_code == 1
    assert "missing" in result.stderr
    assert not (project / "params.yaml").exists()


def test_help_names_every_group():
    text = CliRunner().invoke(app, ["preset", "--help"]).stdout
    assert all(group in text for group in CHOICES)


@pytest.mark.parametrize("name", CHOICES["method"])
@pytest.mark.parametrize("superresolve", CHOICES["superresolve"])
def test_way_over_any_schedule_and_back_changes_nothing(project, name, superresolve):
    preset(f"method={name}", f"superresolve={superresolve}", "schedule=scratch")
    before = (project / "params.yaml").read_text()
    for schedule in CHOICES["schedule"]:
        preset(f"schedule={schedule}")
        preset("schedule=scratch")
        assert (project / "params.yaml").read_text() == before


def test_presets_are_listed_with_a_line_each_and_those_in_force_marked(project):
    preset("method=fprnet_release", "superresolve=off")
    before = (project / "params.yaml").read_bytes()
    result = preset()
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line for line in lines if line in GROUPS] == list(GROUPS)
    listed = {line[4:].split()[0] for line in lines if line.startswith("  ")}
    assert listed == {name for names in CHOICES.values() for name in names}
    marked = [line.split()[1] for line in lines if line.startswith("  *")]
    assert marked == ["scratch", "synthetic", "fprnet_release", "off"]
    assert any("RegDB (Nguyen et al., Sensors 2017)." in line for line in lines)
    assert (project / "params.yaml").read_bytes() == before


def test_superresolution_changed_by_hand_is_marked_as_no_preset(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("dropout: 0.0", "dropout: 0.25"))
    assert sum(line.startswith("  *") for line in preset().stdout.splitlines()) == 3


@pytest.mark.parametrize(("group", "name"), SINGLE)
def test_preset_begins_with_one_line_that_says_what_it_is(group, name):
    first = (ROOT / "conf" / group / f"{name}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")


def test_outside_the_project_nothing_is_listed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = preset()
    assert result.exit_code == 1
    assert "root of the project" in result.stderr


def test_dry_prints_what_would_change_and_writes_nothing(project):
    before = (project / "params.yaml").read_bytes()
    told = preset("method=tffn", "schedule=paper", "--dry")
    assert told.exit_code == 0
    assert (project / "params.yaml").read_bytes() == before
    assert preset("method=tffn", "schedule=paper").stdout.splitlines() == told.stdout.splitlines()[:-1]


def test_each_change_says_which_file_decides_it(project):
    lines = preset("method=tffn", "schedule=paper").stdout.splitlines()
    for line in (
        "train.epochs: 50 -> 70  (conf/method/tffn.yaml, schedules.paper)",
        "train.milestones: [30] -> [30, 50]  (conf/method/tffn.yaml)",
        "train.schedule: cosine -> step  (conf/schedule/paper.yaml)",
        "loss.lambda1: 1.0 -> (none)  (not a key of this method)",
        "recipe: fprnet -> tffn  (method=tffn)",
    ):
        assert line in lines


def explained(*choices):
    """Key -> the cells behind it."""
    result = preset("--explain", *choices)
    assert result.exit_code == 0, result.output
    rows = [line.strip().split("  ", 1) for line in result.stdout.splitlines()[4:] if "  " in line.strip()]
    return {key: re.split(r"\s{2,}", rest.strip()) for key, rest in rows}


def test_explain_names_the_file_of_every_value(project):
    preset("method=tffn", "schedule=quick", "superresolve=paper")
    cells = explained()
    assert cells.keys() == flat(read_yaml(project / "params.yaml")).keys()
    assert cells["seed"] == ["conf/base.yaml", "0"]
    assert cells["train.steps_per_epoch"] == ["conf/schedule/demo.yaml", "40"]
    assert cells["train.num_pids"] == ["conf/method/tffn.yaml, schedules.quick", "4"]
    assert cells["train.optimizer"] == ["conf/method/tffn.yaml, schedules.scratch", "adamw"]
    assert cells["schedule"] == ["conf/schedule/quick.yaml", "quick"]
    assert cells["superresolve.dropout"] == ["conf/superresolve/paper.yaml", "0.5"]
    assert cells["model.heads"] == ["conf/method/tffn.yaml", "4"]
    assert cells["recipe"] == ["method=tffn", "tffn"]


def test_explain_names_what_was_edited_by_hand_and_what_the_layers_have(project):
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("lr: 0.1", "lr: 0.07").replace("dropout: 0.0", "dropout: 0.25"))
    cells = explained()
    assert cells["train.lr"] == ["params.yaml; conf/base.yaml has 0.1", "0.07"]
    assert cells["superresolve.dropout"] == ["params.yaml; conf/base.yaml has 0.0", "0.25"]


def test_explain_of_a_choice_says_it_of_the_parameters_with_it(project):
    assert explained("method=baseline", "--dry")["model.pooling"] == [
        "conf/method/baseline.yaml, schedules.scratch",
        "gem",
    ]
    assert load_params(project / "params.yaml").method == "fprnet"


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
