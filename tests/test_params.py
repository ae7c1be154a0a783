"""params.yaml and its strict mirror: what is accepted, and how a mistake is named. CPU, seconds."""

import pytest
from ruamel.yaml import YAML

from tests.made import ROOT, put, read_yaml, recipe_of, tiny_values, write_params
from vireid.methods import build_method, check_method, method_class, method_names
from vireid.params import load_params
from vireid.support.errors import UserError


@pytest.fixture
def changed(tmp_path):
    """Write params.yaml of the repository with dotted keys changed, and load it."""

    def load(**changes):
        values = read_yaml(ROOT / "params.yaml")
        for key, value in changes.items():
            put(values, key.replace("__", "."), value)
        YAML().dump(values, tmp_path / "params.yaml")
        return load_params(tmp_path / "params.yaml")

    return load


@pytest.fixture
def written(tmp_path):
    """Load a text as params.yaml."""

    def load(text):
        path = tmp_path / "params.yaml"
        path.write_text(text, encoding="utf-8")
        return load_params(path)

    return load


def text_with(old, new):
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert text.count(old) == 1, old
    return text.replace(old, new)


def test_committed_parameters_load_and_build_their_method():
    params = load_params(ROOT / "params.yaml")
    method = build_method(params.method, 11, params.model, params.loss)
    assert type(method) is method_class(params.method)


def test_parameters_cannot_be_changed(params):
    with pytest.raises(ValueError):
        params.seed = 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train__lr", "abc"),
        ("train__lr", "0.1"),
        ("train__lr", True),
        ("train__lr", 0.0),
        ("train__lr", -1.0),
        ("train__lr", float("nan")),
        ("train__lr", float("inf")),
        ("train__weight_decay", float("inf")),
        ("train__epochs", 1.5),
        ("train__epochs", "1"),
        ("train__epochs", True),
        ("train__epochs", 0),
        ("train__epochs", None),
        ("train__steps_per_epoch", "all"),
        ("train__steps_per_epoch", 0),
        ("train__num_pids", 1),
        ("train__milestones", 30),
        ("train__milestones", [0]),
        ("train__optimizer", "rmsprop"),
        ("train__augmentation__flip", 1.01),
        ("train__augmentation__erase", -0.1),
        ("train__augmentation__signed_mix", 1),
        ("train__augmentation__zoom", 1.125),
        ("train__augmentation__signed_mix", "false"),
        ("superresolve__enabled", "no"),
        ("superresolve__input__height", 4),
        ("superresolve__dropout", 2.0),
        ("ingest__on_bad_image", "ignore"),
        ("ingest__height", 0),
        ("dataset__layout", "market1501"),
        ("dataset__train_on_val", "yes"),
        ("dataset__gallery_draw", "random"),
        ("dataset__root", 7),
        ("dataset__sixteen_bit__scaling", "auto"),
        ("dataset__sixteen_bit__window", [8100, 7200]),
        ("dataset__sixteen_bit__window", [7200, 7200]),
        ("dataset__sixteen_bit__percentiles", [99.5, 0.5]),
        ("dataset__sixteen_bit__percentiles", [0.5]),
        ("compute__workers", 0),
        ("compute__device", "gpu"),
        ("evaluate__protocols", []),
        ("evaluate__ranks", [0]),
        ("evaluate__rerank", 1),
        ("evaluate__rerank", "true"),
        ("evaluate__reranking__k1", 0),
        ("evaluate__reranking__k1", 20.0),
        ("evaluate__reranking__k2", 0),
        ("evaluate__reranking__lambda_value", 1.1),
        ("seed", -1),
        ("seed", "0"),
        ("method", 1),
        ("model", None),
        ("model", "resnet50"),
        ("loss", [1.0]),
    ],
)
def test_wrong_value_is_refused_and_its_key_named(changed, key, value):
    with pytest.raises(UserError, match="wrong parameter") as error:
        changed(**{key: value})
    assert key.replace("__", ".") in error.value.problem
    assert repr(value).strip("[]") in error.value.found


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("train__lr", 1, 1.0),
        ("train__steps_per_epoch", "full", "full"),
        ("train__steps_per_epoch", 3, 3),
        ("train__milestones", [], []),
        ("train__holdout_pids", 0, 0),
        ("train__augmentation__pad", 0, 0),
        ("dataset__root", "päth with space", "päth with space"),
    ],
)
def test_allowed_value_is_read_as_it_is(changed, key, value, read):
    found = changed(**{key: value})
    for part in key.split("__"):
        found = getattr(found, part)
    assert found == read
    assert type(found) is type(read)


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001", "1E-5", "+1e-5"])
def test_small_float_is_read_however_it_is_written(written, text):
    lr = read_yaml(ROOT / "params.yaml")["train"]["lr"]
    assert (
        written(
            text_with(f"\n  lr: {lr}\n  momentum: 0.9 # sgd", f"\n  lr: {text}\n  momentum: 0.9 # sgd")
        ).train.lr
        == 1e-5
    )


def test_unknown_key_is_named_with_the_known_ones(written):
    with pytest.raises(UserError) as error:
        written(text_with("\nseed: 0\n", "\nseed: 0\nsede: 1\n"))
    assert "sede" in error.value.problem
    assert "seed" in error.value.expected
    assert error.value.found == "1"


@pytest.mark.parametrize(
    ("section", "known"),
    [("superresolve", "holdout_pids"), ("train__augmentation", "erase"), ("compute", "threads")],
)
def test_unknown_nested_key_is_named_with_the_keys_of_its_section(changed, section, known):
    with pytest.raises(UserError) as error:
        changed(**{f"{section}__typo": 1})
    assert f"{section}__typo".replace("__", ".") in error.value.problem
    assert known in error.value.expected
    assert "layout" not in error.value.expected


@pytest.mark.parametrize("key", ["seed", "method", "recipe", "schedule"])
def test_missing_key_is_named(tmp_path, key):
    values = read_yaml(ROOT / "params.yaml")
    del values[key]
    YAML().dump(values, tmp_path / "params.yaml")
    with pytest.raises(UserError, match=f"wrong parameter: {key}"):
        load_params(tmp_path / "params.yaml")


def test_every_key_is_needed(tmp_path):
    values = read_yaml(ROOT / "params.yaml")
    for section in ("dataset", "ingest", "superresolve", "train", "extract", "evaluate", "compute"):
        for key in list(values[section]):
            kept = values[section].pop(key)
            YAML().dump(values, tmp_path / "params.yaml")
            with pytest.raises(UserError, match=f"{section}.{key}"):
                load_params(tmp_path / "params.yaml")
            values[section][key] = kept


def test_all_mistakes_are_named_at_once(changed):
    with pytest.raises(UserError) as error:
        changed(seed="x", train__lr=-2.5, compute__typo=77, ingest__height=3)
    assert error.value.problem.startswith("wrong parameters:")
    for part in ("seed", "train.lr", "compute.typo", "ingest.height"):
        assert part in error.value.problem
    for part in ("'x'", "-2.5", "77", "3"):
        assert part in error.value.found


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UserError, match="missing") as error:
        load_params(tmp_path / "params.yaml")
    assert error.value.where == tmp_path / "params.yaml"


@pytest.mark.parametrize("text", ["seed: [", "seed: 0\nseed: 1\n", "a: b: c", "\tx: 1", "seed: 0\n\x00"])
def test_broken_yaml_is_refused(written, text):
    with pytest.raises(UserError, match="not valid YAML"):
        written(text)


def test_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "params.yaml").write_bytes(b"seed: \xff\xfe\x00")
    with pytest.raises(UserError):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "hello\n", "7\n"])
def test_file_without_keys_is_refused(written, text):
    with pytest.raises(UserError, match="wrong parameter: the section"):
        written(text)


def test_unknown_method_is_refused_with_the_known_ones():
    with pytest.raises(UserError, match="no such method") as error:
        method_class("fprnett")
    assert all(name in error.value.expected for name in method_names())
    assert error.value.found == "fprnett"


@pytest.mark.parametrize(("method", "key"), [("fprnet", "graph"), ("baseline", "lambda1"), ("fprnet", "lambda4")])
def test_loss_weight_that_the_method_lacks_is_named(tmp_path, params, method, key):
    values = tiny_values(tmp_path, method)
    with pytest.raises(UserError) as error:
        check_method(method, values["model"], values["loss"] | {key: 1.0})
    assert key in error.value.problem
    assert method in str(error.value.where)
    assert all(name in error.value.expected for name in values["loss"])


@pytest.mark.parametrize("method", [name for name in method_names() if recipe_of(name)["loss"]])
def test_loss_weight_below_zero_is_refused(tmp_path, method):
    values = tiny_values(tmp_path, method)
    first = next(iter(values["loss"]))
    with pytest.raises(UserError, match=first):
        check_method(method, values["model"], values["loss"] | {first: -1.0})


@pytest.mark.parametrize("value", ["mine.pth", 3, None])
def test_key_with_alternatives_is_named_once_and_without_them(tmp_path, value):
    values = read_yaml(write_params(tmp_path / "params.yaml", tmp_path, "fprnet"))
    values["model"]["trunk"]["pretrained"] = value
    with pytest.raises(UserError) as error:
        check_method("fprnet", values["model"], values["loss"])
    assert error.value.problem == "wrong parameter: trunk.pretrained"
    assert " or " in error.value.expected


@pytest.mark.parametrize("feature", ["x7", "r1", "i6", "r55", "R5", "", 5])
def test_fusion_feature_that_does_not_exist_is_named(tmp_path, feature):
    values = tiny_values(tmp_path, "fprnet")
    values["model"]["fusion"]["features"][2] = feature
    with pytest.raises(UserError, match=r"fusion\.features\.2") as error:
        check_method("fprnet", values["model"], values["loss"])
    assert error.value.found == repr(feature)


def test_unknown_fusion_key_is_named_with_the_known_ones(tmp_path):
    values = tiny_values(tmp_path, "fprnet")
    values["model"]["fusion"]["way"] = 1
    with pytest.raises(UserError, match=r"fusion\.way") as error:
        check_method("fprnet", values["model"], values["loss"])
    assert "features" in error.value.expected


def test_images_too_small_for_a_trunk_are_refused(changed):
    with pytest.raises(UserError, match=r"ingest\.width"):
        changed(ingest__width=32)
