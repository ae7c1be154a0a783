"""README and docs: links lead somewhere, commands parse, and blocks that say so run. CPU, seconds."""

import re
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from dvc.cli import parse_args
from typer.testing import CliRunner

from tests.docs.pages import PAGES, blocks
from tests.made import CONF, ROOT, recipe_of, write_params
from vireid.cli import app
from vireid.layers import GROUPS, flat, preset_names

COMMANDS = sorted({tuple(words) for block in blocks("console") for words in block.commands})
TOOLS = {"git", "sed", "source", "pytest", "python"}  # not ours; what they are given is looked at by eye
NEW_METHOD = "mine"  # that the pages write by `vireid new-method`
KEYS = {key for name in preset_names(CONF, "method") for key in flat(recipe_of(name))}


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_readme_is_a_front_page_and_no_page_is_a_book():
    lines = {page.name: len(page.read_text(encoding="utf-8").splitlines()) for page in PAGES}
    assert lines["README.md"] <= 180
    assert max(lines.values()) <= 250


def test_readme_leads_to_every_page():
    text = PAGES[0].read_text(encoding="utf-8")
    assert all(f"docs/{page.name}" in text for page in PAGES[1:])


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_parses(words):
    program, *arguments = words
    if program == "vireid":
        parse_vireid(arguments)
    elif program == "dvc":
        parse_args(arguments)
        check_overrides(arguments)
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(arguments) <= set(targets)
    else:
        assert program in TOOLS


def parse_vireid(arguments):
    """Parse a command as Typer does, without running it."""
    name, *rest = arguments
    group = typer.main.get_command(app)
    assert name in group.commands
    group.commands[name].make_context(name, list(rest))
    if name == "preset":
        chosen = dict(item.split("=", 1) for item in rest if "=" in item)
        for key, value in chosen.items():
            assert key == "dataset.root" or (key in GROUPS and value in (*preset_names(CONF, key), NEW_METHOD))


def check_overrides(arguments):
    """Check that `-S KEY=VALUE` names parameters that there are."""
    for option, value in pairwise(arguments):
        if option in ("-S", "--set-param"):
            key = value.partition("=")[0].lstrip("+")
            assert key in KEYS or any(known.startswith(f"{key}.") for known in KEYS), value


@pytest.mark.parametrize("arguments", [["preset", "--dri"], ["tabel", "fprnet/table5"], ["preset", "method=ffpr"]])
def test_mistyped_command_is_found(arguments):
    with pytest.raises((AssertionError, typer._click.exceptions.UsageError)):
        parse_vireid(arguments)


def test_removed_parameter_is_found():
    with pytest.raises(AssertionError):
        check_overrides(["exp", "run", "-S", "model.share_from=2"])


@pytest.fixture
def project(tmp_path, monkeypatch, dataset, images_file, model_folder):
    """A project after a run, with the tiny data set; names in the pages are of the embedded one."""
    shutil.copytree(CONF, tmp_path / "conf")
    (tmp_path / "artifacts").mkdir()
    shutil.copytree(model_folder, tmp_path / "artifacts" / "model")
    shutil.copy(images_file, tmp_path / "artifacts")
    shutil.copytree(dataset, tmp_path / "data")
    write_params(tmp_path / "params.yaml", "data")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_blocks_compile_and_run(page, project):
    for block in blocks("python"):
        if block.page == page:
            code = compile(block.text.replace("0441", "0013").replace("441", "13"), page.name, "exec")
            if block.runs:
                exec(code, {})


def test_console_blocks_that_say_so_run(project):
    for block in (block for block in blocks("console") if block.runs):
        if block.page.name == "features.md":
            (example,) = (part for part in blocks("python") if part.page == block.page)
            exec(example.text, {})
        for words in block.commands:
            result = CliRunner().invoke(app, words[1:])
            assert result.exit_code == 0, (words, result.output)
    assert Path("result.json").is_file()
