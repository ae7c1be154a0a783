"""Methods are found as folders with a `method.py` that defines one. CPU, milliseconds."""

import sys

import pytest

from tests.made import ROOT
from vireid import methods
from vireid.methods import method_class, method_names
from vireid.methods.base import Embedder, Fitted, Method
from vireid.support.errors import UserError

CLASS = "class {}({}):\n    def embed(self, images, modality):\n        return {{}}\n"
IMPORT = "from vireid.methods.base import Embedder, Fitted, Method\n"


@pytest.fixture
def room(tmp_path, monkeypatch):
    """Write a method's file into an otherwise empty place for methods."""
    monkeypatch.setattr(methods, "ROOMS", tmp_path)
    monkeypatch.setattr(methods, "__path__", [str(tmp_path)])

    def write(name, text):
        (tmp_path / name).mkdir()
        (tmp_path / name / "method.py").write_text(text)

    yield write
    for name in [name for name in sys.modules if name.startswith("vireid.methods.made_up")]:
        del sys.modules[name]


def test_methods_are_the_rooms_of_the_package():
    rooms = {path.parent.name for path in (ROOT / "src" / "vireid" / "methods").glob("*/method.py")}
    assert rooms == set(method_names()) >= {"baseline", "fprnet", "tffn"}
    assert all(issubclass(method_class(name), Method | Fitted) for name in method_names())


def test_folder_without_a_method_is_none(room, tmp_path):
    room("made_up", IMPORT + CLASS.format("MadeUp", "Method"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "other.py").touch()
    assert method_names() == ["made_up"]
    with pytest.raises(UserError, match="no such method") as error:
        method_class("notes")
    assert error.value.expected == "one of made_up"


@pytest.mark.parametrize("base", ["Method", "Fitted"])
def test_class_is_the_one_that_the_file_defines(room, base):
    room("made_up", IMPORT + CLASS.format("MadeUp", base) + "class Section: ...\n")
    assert method_class("made_up").__name__ == "MadeUp"
    assert issubclass(method_class("made_up"), Embedder)


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        (IMPORT, "none"),
        ("", "none"),
        (IMPORT + CLASS.format("MadeUp", "Embedder"), "none"),  # nothing says how it is trained
        (IMPORT + CLASS.format("First", "Method") + CLASS.format("Second", "Method"), "First, Second"),
    ],
)
def test_file_of_no_method_or_of_two_is_refused(room, text, classes):
    room("made_up", text)
    with pytest.raises(UserError, match="not the file of one method") as error:
        method_class("made_up")
    assert error.value.found == classes
    assert error.value.where.parts[-2:] == ("made_up", "method.py")
