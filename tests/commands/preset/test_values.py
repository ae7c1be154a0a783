"""`vireid preset`: every choice merges and validates, and only what it should change changes. CPU, seconds."""

from itertools import combinations

import pytest
from dvc.utils.hydra import apply_overrides

from tests.commands.preset.made import CHOICES, SINGLE, comments, difference, preset
from tests.made import CONF, read_yaml, recipe_of
from vireid.layers import GROUPS, compose, decided_keys, flat
from vireid.methods import method_names
from vireid.params import load_params


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
    # Data set and superresolve share no key with another group, so products of all four tell no more: over the
    # methods, every schedule meets every data set, and every data set every choice of superresolve.
    place = CHOICES["method"].index(recipe) + CHOICES["schedule"].index(schedule)
    dataset, superresolve = (CHOICES[group][place % len(CHOICES[group])] for group in ("dataset", "superresolve"))
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


def test_choosing_what_is_in_force_changes_nothing_and_says_nothing(project):
    before = (project / "params.yaml").read_bytes()
    result = preset("method=fprnet")
    assert result.stdout == ""
    assert (project / "params.yaml").read_bytes() == before


@pytest.mark.parametrize("name", CHOICES["method"])
def test_way_over_any_schedule_and_back_changes_nothing(project, name):
    preset(f"method={name}", "superresolve=paper", "schedule=scratch")
    before = (project / "params.yaml").read_text()
    for schedule in CHOICES["schedule"]:
        preset(f"schedule={schedule}")
        preset("schedule=scratch")
        assert (project / "params.yaml").read_text() == before
