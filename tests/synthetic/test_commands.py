"""`vireid synthesize` and `vireid contact-sheet` as a user calls them. CPU, seconds."""

import inspect
from dataclasses import asdict

import pytest
import typer
from typer.testing import CliRunner

from vireid.commands.synthesize import contact_sheet, synthesize
from vireid.synthetic.dataset import Settings, folder_md5

SIZES = [
    "--train-ids=1",
    "--val-ids=1",
    "--test-ids=1",
    "--visible-images=1",
    "--infrared-images=1",
    "--workers=1",
]
app = typer.Typer()
app.command("synthesize")(synthesize)
app.command("contact-sheet")(contact_sheet)


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, [str(arg) for arg in args])


def pin(path, md5):
    path.write_text(f"outs:\n- md5: {md5}\n  size: 1\n  nfiles: 22\n  hash: md5\n  path: data\n")


def test_folder_in_brackets_is_named_as_it_is(call):
    assert (
        "d [old]: 24 images of 3 identities"
        in call(
            "synthesize", "d [old]", *SIZES[:3], *SIZES[5:], "--visible-images=1", "--infrared-images=2"
        ).output
    )


def test_defaults_are_those_of_the_settings():
    defaults = {name: value.default for name, value in inspect.signature(synthesize).parameters.items()}
    assert {name: defaults[name] for name in asdict(Settings())} == asdict(Settings())


def test_unpinned_set_is_drawn_without_a_word_about_dvc(call, tmp_path):
    result = call("synthesize", "elsewhere/set", *SIZES)
    assert result.exit_code == 0
    assert (tmp_path / "elsewhere/set/cam6/0003/0001.jpg").is_file()
    assert "18 images of 3 identities" in result.output
    assert "pin" not in result.output


def test_pinned_set_that_matches_is_confirmed(call, tmp_path):
    call("synthesize", "first", *SIZES)
    pin(tmp_path / "data.dvc", folder_md5(tmp_path / "first"))
    result = call("synthesize", *SIZES)
    assert result.exit_code == 0
    assert "data.dvc pins exactly these images" in result.output


def test_pinned_set_that_differs_is_a_warning_with_both_hashes(call, tmp_path):
    pin(tmp_path / "data.dvc", "0123456789abcdef0123456789abcdef.dir")
    result = call("synthesize", *SIZES)
    assert result.exit_code == 0
    for words in ("warning", "0123456789abcdef", folder_md5(tmp_path / "data"), "dvc repro will rewrite data.dvc"):
        assert words in result.output


def test_unreadable_pin_is_an_error(call, tmp_path):
    (tmp_path / "data.dvc").write_text("outs: []\n")
    result = call("synthesize", *SIZES)
    assert result.exit_code == 1
    assert "cannot be read as a .dvc file" in result.output
    assert not (tmp_path / "data").exists()


def test_existing_folder_is_an_error_with_a_remedy(call, tmp_path):
    (tmp_path / "data").mkdir()
    result = call("synthesize", *SIZES)
    assert result.exit_code == 1
    assert "rm -r data" in result.output


def test_contact_sheet_of_a_drawn_set(call, tmp_path):
    call("synthesize", *SIZES)
    assert call("contact-sheet", "data", "sheet.png", "--pids=2").exit_code == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    missing = call("contact-sheet", "nowhere", "other.png")
    assert missing.exit_code == 1
    assert "SYSU-MM01's layout" in missing.output
