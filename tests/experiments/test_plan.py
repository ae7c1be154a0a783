"""Parameters as text for `dvc exp run -S`. CPU, seconds."""

import string

import pytest
from dvc.utils.hydra import apply_overrides
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from vireid.experiments.plan import literal, overrides

NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=3).filter(
    lambda name: name not in {"y", "n", "no", "on", "off", "yes", "nan", "inf"}
)
SCALARS = (  # no null, which params.yaml never holds and Hydra cannot remove
    st.booleans()
    | st.integers(-1000, 1000)
    | st.floats(-1e6, 1e6).map(lambda value: round(value, 6))
    | st.text("abc 1'/_-.:=,[]{}", max_size=6)
)
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.lists(st.lists(NAMES, min_size=1, max_size=2), max_size=2)
PARAMS = st.dictionaries(NAMES, VALUES | st.dictionaries(NAMES, VALUES, min_size=1, max_size=3), max_size=4)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1"),
        (1.0, "1.0"),
        (True, "true"),
        (None, "null"),
        ("off", "'off'"),
        ("it's", r"'it\'s'"),
        ([], "[]"),
        (
            {"mode": "hybrid", "features": [["r5", "r2"]], "type": 1},
            "{mode:'hybrid',features:[['r5','r2']],type:1}",
        ),
    ],
)
def test_literal_is_hydras(value, text):
    assert literal(value) == text


@settings(deadline=None)
@example(before={"a": []}, after={"a": {"a": False}})
@example(before={"a": {"a": 1}}, after={"a": [1]})
@given(before=PARAMS, after=PARAMS)
def test_overrides_turn_one_into_the_other(tmp_path_factory, before, after):
    path = tmp_path_factory.mktemp("overrides") / "params.yaml"
    YAML().dump({"seed": 0} | before, path)
    told = list(overrides({"seed": 0} | before, {"seed": 0} | after))
    if told:
        apply_overrides(path, told)
    found = YAML(typ="safe").load(path)
    assert found == {"seed": 0} | after


def test_what_is_equal_is_not_told():
    assert list(overrides({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}})) == []


def test_type_is_told_even_where_the_value_is_equal():
    assert list(overrides({"a": 1}, {"a": 1.0})) == ["++a=1.0"]


def test_section_that_is_gone_is_removed_whole():
    assert list(overrides({"a": {"b": {"c": 1}}, "d": 2}, {"a": {"e": 1}, "d": 2})) == ["~a.b", "++a.e=1"]
