"""Commands in README and docs are those of today: options, presets, parameters, targets. CPU, seconds."""

import re

import pytest

from tests.docs.pages import PAGES, block_commands, inline_codes, inline_commands, prose
from tests.docs.parsing import check_command
from tests.made import CONF, recipe_of
from vireid.cli import app
from vireid.experiments.grid import load_grid
from vireid.layers import flat, preset_names

SECTIONS = "seed|dataset|ingest|superresolve|model|loss|train|extract|evaluate|figures|compute"
PARAMETER = re.compile(rf"(?:{SECTIONS})(?:\.[a-z_0-9]+)+")


def parameters() -> set[str]:
    """Keys and sections of the parameters of every method's preset, dotted."""
    keys = {key for name in preset_names(CONF, "method") for key in flat(recipe_of(name))}
    return keys | {key[:end] for key in keys for end, letter in enumerate(key) if letter == "."}


@pytest.mark.parametrize("words", block_commands(), ids=" ".join)
def test_command_of_a_block_is_understood(words, tmp_path):
    check_command(words, tmp_path, may_lack_arguments=False)


@pytest.mark.parametrize("words", inline_commands(), ids=" ".join)
def test_command_in_the_prose_is_understood(words, tmp_path):
    check_command(words, tmp_path, may_lack_arguments=True)


def test_pages_count_the_rows_that_each_table_runs():
    lines = re.findall(r"\| `vireid experiments (\w+/\w+)[^|]*\| (\d+)", "\n".join(map(prose, PAGES)))
    assert len(lines) > 15
    for table, count in lines:
        rows = load_grid(CONF, table).rows.values()
        assert int(count) == sum(row.reachable for row in rows), table


@pytest.mark.parametrize(
    "line",
    [
        "vireid preset --dri",
        "vireid tabel fprnet/table5",
        "vireid table fprnet/table55",
        "vireid table fprnet/table5 --schedule quik",
        "vireid experiments tffn/table1 --rows base",
        "vireid preset method=fprnett",
        "vireid preset mehtod=fprnet",
        "vireid preset fprnet",
        "vireid search --gallery photos",
        "vireid search query.jpg --gallery photos --query-modality red",
        "dvc exp rnu",
        "dvc exp run -S model.share_from=2",
        "dvc exp run -S loss.competition=rates",
        "dvc exp run -S train.epochs=range(0,2)",
        "dvc exp run -S model.fusion.features=[r5",
        "make reprod",
        "python stages/training.py --help",
        "python benchmarks/step.py --methods fprnet",
        "conda install vireid",
    ],
)
def test_mistake_in_a_command_is_found(line, tmp_path):
    with pytest.raises(AssertionError):
        check_command(line.split(), tmp_path, may_lack_arguments=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_parameters_that_a_page_names_are_in_params_yaml(page):
    known = parameters()
    for code in inline_codes(page):
        key = re.split(r"[ =:]", code)[0]
        if PARAMETER.fullmatch(key) and not key.endswith((".py", ".h5", ".json", ".safetensors")):
            assert key in known, code


def test_page_of_commands_lists_every_command():
    (page,) = (page for page in PAGES if page.name == "commands.md")
    listed = re.findall(r"^\| `vireid ([a-z-]+)", prose(page), re.MULTILINE)
    assert listed == [command.name for command in app.registered_commands]
