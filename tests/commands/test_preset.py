"""`vireid preset`: every choice merges and validates, and only what it should change changes. CPU, seconds."""

import shutil
from itertools import combinations

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.made import ROOT, draw_dataset, draw_image, read_yaml
from vireid.cli import app
from vireid.methods import check_method, method_names
from vireid.params import load_params
from vireid.presets import GROUPS

CHOICES = {group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")) for group in GROUPS}
SINGLE = [(group, name) for group, names in CHOICES.items() for name in names]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A copy of params.yaml brought to the demo schedule of FPRnet; not to be changed."""
    path = tmp_path_factory.mktemp("start") / "params.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    choices = ("dataset=synthetic", "method=fprnet", "schedule=demo", "superresolve=default")
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


def flat(values, prefix=""):
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def difference(before, after):
    """Keys whose values differ."""
    before, after = flat(before), flat(after)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def comments(text):
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]


def test_every_method_has_a_preset():
    assert {read_yaml(ROOT / "conf" / "method" / f"{name}.yaml")["method"] for name in CHOICES["method"]} == set(
        method_names()
    )
    assert set(method_names()) <= set(CHOICES["method"])
    assert set(CHOICES) | {"experiments"} == {path.name for path in (ROOT / "conf").iterdir()}


def test_no_two_groups_set_the_same_key():
    keys = {group: set() for group in GROUPS}
    for group, name in SINGLE:
        values = read_yaml(ROOT / "conf" / group / f"{name}.yaml")
        for part in (values, *values.pop("schedules", {}).values()):
            keys[group] |= flat(part).keys()
    for one, other in combinations(GROUPS, 2):
        assert keys[one].isdisjoint(keys[other])


@pytest.mark.parametrize("recipe_name", CHOICES["method"])
@pytest.mark.parametrize("schedule", CHOICES["schedule"])
def test_every_combination_of_three_groups_merges_and_validates(project, recipe_name, schedule):
    # No two groups set the same key, so products of all four tell no more. Over the schedules, every data set
    # meets every choice of superresolve.
    preset_file = read_yaml(ROOT / "conf" / "method" / f"{recipe_name}.yaml")
    first = CHOICES["schedule"].index(schedule)
    for place, dataset in enumerate(CHOICES["dataset"]):
        superresolve = CHOICES["superresolve"][(first + place) % len(CHOICES["superresolve"])]
        chosen = {"dataset": dataset, "superresolve": superresolve, "method": recipe_name, "schedule": schedule}
        result = preset(*(f"{group}={name}" for group, name in chosen.items()))
        assert result.exit_code == 0, result.stderr
        params = load_params(project / "params.yaml")
        check_method(params.method, params.model, params.loss)
        assert (params.method, params.recipe) == (preset_file["method"], recipe_name)
        assert (params.schedule, params.dataset.name) == (schedule, dataset)
        values = read_yaml(project / "params.yaml")
        recipe = preset_file["schedules"][schedule]
        assert {section: values[section] for section in recipe} == recipe


@pytest.mark.parametrize(("group", "name"), SINGLE)
def test_comments_are_kept_there_and_back(project, group, name):
    before = (project / "params.yaml").read_text()
    back = read_yaml(project / "params.yaml")
    default = {"dataset": "synthetic", "superresolve": "default"}.get(group) or back[group]
    assert preset(f"{group}={name}").exit_code == 0
    assert comments((project / "params.yaml").read_text()) == comments(before)
    assert preset(f"{group}={default}").exit_code == 0
    assert (project / "params.yaml").read_text() == before


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


def test_sections_of_the_method_are_replaced_whole(project):
    preset("method=baseline")
    values = read_yaml(project / "params.yaml")
    assert "fusion" not in values["model"]
    assert set(values["loss"]) == {"identity", "triplet", "margin", "label_smoothing"}


def test_schedule_and_method_may_be_given_in_either_order(project):
    preset("method=baseline", "schedule=paper")
    first = (project / "params.yaml").read_text()
    preset("method=fprnet", "schedule=demo")
    preset("schedule=paper", "method=baseline")
    assert (project / "params.yaml").read_text() == first


@pytest.mark.parametrize("name", CHOICES["method"])
def test_schedule_alone_keeps_to_the_recipe_in_force(project, name):
    preset(f"method={name}", "schedule=paper")
    expected = (project / "params.yaml").read_text()
    preset(f"method={name}", "schedule=demo")
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


def test_method_without_the_schedule_is_refused(project):
    broken(project, "  paper:", "  article:")
    result = preset("method=baseline", "schedule=paper")
    assert result.exit_code == 1
    assert "demo, article" in result.stderr


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
def test_way_from_demo_over_any_schedule_and_back_changes_nothing(project, name, superresolve):
    preset(f"method={name}", f"superresolve={superresolve}", "schedule=demo")
    before = (project / "params.yaml").read_text()
    for schedule in CHOICES["schedule"]:
        preset(f"schedule={schedule}")
        preset("schedule=demo")
        assert (project / "params.yaml").read_text() == before


def test_every_schedule_decides_the_same_keys():
    # A key that one schedule sets and another does not would keep the first one's value.
    for part in ("schedule", "method"):
        for name in CHOICES[part]:
            values = read_yaml(ROOT / "conf" / part / f"{name}.yaml")
            for recipe in values.get("schedules", {}).values():
                assert flat(recipe["train"]).keys() == flat(values["schedules"]["demo"]["train"]).keys()
                assert recipe["model"].keys() == values["schedules"]["demo"]["model"].keys()
    keys = [flat(read_yaml(ROOT / "conf/schedule" / f"{name}.yaml")).keys() for name in CHOICES["schedule"]]
    assert all(part == keys[0] for part in keys)


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
    assert marked == ["synthetic", "demo", "fprnet_release", "off"]
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
