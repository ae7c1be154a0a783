"""Parameters composed from layers: their order, what a layer may set, and what is said of a wrong one. CPU."""

import pytest

from vireid.layers import compose, decided_keys, flat, preset_names
from vireid.support.errors import UserError

FILES = {
    "base.yaml": "recipe: none # which one\nsize: {height: 1, width: 1}\nmodel: {}\n"
    "train: {epochs: 1, lr: 1.0, steps: [1, 2]}\n",
    "schedule/demo.yaml": "# Demo.\nsize: {height: 2}\ntrain: {epochs: 2}\n",
    "schedule/quick.yaml": "# Quick.\nextends: demo\ntrain: {epochs: 3}\n",
    "dataset/photos.yaml": "# Photos.\nsize: {width: 7}\n",
    "method/plain.yaml": "# Plain.\nmodel: {trunk: {name: a}}\ntrain: {lr: 0.5, steps: [9]}\n"
    "schedules:\n  demo: {train: {lr: 0.25}, model: {trunk: {name: b}}}\n",
    "method/child.yaml": "# Child.\nextends: plain\ntrain: {lr: 0.75}\nschedules:\n  quick: {size: {height: 5}}\n",
    "superresolve/off.yaml": "# Off.\nsize: {height: 8}\n",
}


@pytest.fixture
def conf(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def composed(conf, method="plain", schedule="demo", **others):
    return compose(conf, {"method": method, "schedule": schedule, "dataset": "photos"} | others)


def test_higher_layer_wins_key_by_key_and_a_list_is_replaced_whole(conf):
    assert flat(composed(conf).values) == {
        "recipe": "plain",
        "size.height": 2,
        "size.width": 7,
        "train.epochs": 2,
        "train.lr": 0.25,
        "train.steps": [9],
        "model.trunk.name": "b",
    }


def test_every_value_has_its_layer(conf):
    method = str(conf / "method/plain.yaml")
    assert composed(conf).origins == {
        "recipe": "method=plain",
        "size.height": str(conf / "schedule/demo.yaml"),
        "size.width": str(conf / "dataset/photos.yaml"),
        "train.epochs": str(conf / "schedule/demo.yaml"),
        "train.lr": f"{method}, schedules.demo",
        "train.steps": method,
        "model.trunk.name": f"{method}, schedules.demo",
    }


def test_what_a_schedule_extends_brings_the_methods_part_for_it_too(conf):
    values = flat(composed(conf, schedule="quick").values)
    assert (values["train.epochs"], values["train.lr"], values["size.height"]) == (3, 0.25, 2)


def test_part_for_a_schedule_wins_over_all_of_the_method_files(conf):
    """The child says 0.75 for any schedule, what it extends 0.25 for this one."""
    assert composed(conf, "child").values["train"]["lr"] == 0.25


def test_method_may_decide_an_image_size_and_superresolve_stands_above_it(conf):
    assert composed(conf, "child", "quick").values["size"]["height"] == 5
    assert composed(conf, "child", "quick", superresolve="off").values["size"]["height"] == 8


def test_layers_share_no_list_or_section(conf):
    first, second = composed(conf).values, composed(conf).values
    first["train"]["steps"].append(10)
    first["size"]["height"] = 99
    assert (second["train"]["steps"], second["size"]["height"]) == ([9], 2)


def test_decided_keys_are_those_of_all_presets_and_parts(conf):
    methods, schedules = (preset_names(conf, group) for group in ("method", "schedule"))
    everything = {"model.trunk.name", "train.lr", "train.steps", "size.height"}
    assert decided_keys(conf, "method", methods) == everything
    assert decided_keys(conf, "method", ["child"]) == everything  # with what it extends
    assert decided_keys(conf, "schedule", schedules) == {"size.height", "train.epochs"}
    assert decided_keys(conf, "schedule", []) == set()


def test_files_that_begin_with_a_dot_are_no_presets(conf):
    (conf / "method" / "._plain.yaml").write_bytes(b"\0\5")
    assert preset_names(conf, "method") == ["child", "plain"]


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("schedule/demo.yaml", "train: {epoch: 2}\n", "train.epoch"),
        ("schedule/demo.yaml", "model: {width: 2}\n", "model.width"),
        ("dataset/photos.yaml", "sizes: 3\n", "sizes"),
        ("method/plain.yaml", "training: {lr: 1}\n", "training"),
        ("method/plain.yaml", "schedules: {demo: {train: {rate: 1}}}\n", "train.rate"),
        ("method/child.yaml", "extends: plain\nmodel: {trunk: {kind: a}}\n", "model.trunk.kind"),
        ("superresolve/off.yaml", "size: {depth: 1}\n", "size.depth"),
    ],
)
def test_key_that_no_lower_layer_has_names_its_file(conf, name, text, named):
    (conf / name).write_text(text)
    with pytest.raises(UserError, match="sets a key that is not there") as error:
        composed(conf, "child", superresolve="off")
    assert error.value.where.startswith(str(conf / name))
    assert error.value.found == named


def test_preset_that_extends_itself_through_others_is_refused(conf):
    (conf / "schedule/demo.yaml").write_text("extends: quick\n")
    with pytest.raises(UserError, match="extends itself") as error:
        composed(conf, schedule="quick")
    assert error.value.found == "quick -> demo -> quick"


def test_what_is_extended_must_be_there(conf):
    (conf / "schedule/quick.yaml").write_text("extends: dmeo\n")
    with pytest.raises(UserError, match="no such preset") as error:
        composed(conf, schedule="quick")
    assert (error.value.found, "demo" in error.value.expected) == ("dmeo", True)


def test_part_for_a_schedule_that_does_not_exist_is_refused(conf):
    (conf / "method/plain.yaml").write_text(
        "model: {trunk: {name: a}}\nschedules: {article: {train: {lr: 1.0}}}\n"
    )
    with pytest.raises(UserError, match="unknown schedule") as error:
        composed(conf)
    assert error.value.found == "article"


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("method/plain.yaml", "model: {trunk: {name: a}}\nschedules:\n", "schedules"),
        ("method/plain.yaml", "model: {trunk: {name: a}}\nschedules: {demo: }\n", "schedules"),
        ("method/child.yaml", "extends: plain\ntrain:\n", "train"),
        ("method/child.yaml", "extends: plain\ntrain: 3\n", "train"),
        ("schedule/demo.yaml", "size:\n", "size"),
        ("dataset/photos.yaml", "size: {width: {pixels: 3}}\n", "size.width"),
    ],
)
def test_section_that_is_empty_or_a_value_that_is_none_names_its_own_file(conf, name, text, named):
    (conf / name).write_text(text)
    with pytest.raises(UserError) as error:
        composed(conf, "child")
    assert str(error.value.where) == str(conf / name)
    assert named in error.value.problem


@pytest.mark.parametrize("text", ["", "- a\n", "a: [\n", "model\n"])
def test_what_is_no_preset_is_refused_with_its_file(conf, text):
    (conf / "method/plain.yaml").write_text(text)
    with pytest.raises(UserError) as error:
        composed(conf)
    assert str(error.value.where) == str(conf / "method/plain.yaml")
