"""README and docs as pages: links, pictures, tables, lengths, and the tree of files. CPU, seconds."""

import re

import pytest

from tests.docs.pages import PAGES, blocks, prose
from tests.made import CONF, ROOT

README = PAGES[0]


def anchors(page):
    """Anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(page):
    """Where links and pictures of a page lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page)) + re.findall(r'src="([^"]+)"', prose(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_begins_with_a_title_and_says_what_it_answers(page):
    first, empty, sentence, *_ = page.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# ")
    assert not empty
    assert re.match(r"[A-Z*]", sentence)


def test_readme_is_a_front_page_and_no_page_is_a_book():
    lines = {page.name: len(page.read_text(encoding="utf-8").splitlines()) for page in PAGES}
    assert lines.pop("README.md") <= 180
    assert max(lines.values()) <= 250


def test_readme_leads_to_every_page():
    assert {f"docs/{page.name}" for page in PAGES[1:]} <= {link.partition("#")[0] for link in links(README)}


@pytest.mark.parametrize(
    "page", [*PAGES, *sorted((ROOT / "docs" / "tables").glob("*.md"))], ids=lambda page: page.name
)
def test_rows_of_a_table_have_as_many_cells_as_its_head(page):
    for table in re.findall(r"(?:^\|.*\n)+", prose(page), re.MULTILINE):
        head, rule, *rows = (len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines())
        assert rows
        assert {rule, *rows} == {head}, table
        assert re.fullmatch(r"\|(?: ?:?-+:? ?\|)+", table.splitlines()[1])


def test_tree_of_the_readme_is_that_of_the_project():
    (tree,) = (block.text for block in blocks(README) if "src/vireid/" in block.text)
    for line in tree.splitlines():
        folder = ROOT / "src" / "vireid" if line.startswith("  ") else ROOT
        for name in re.split(r" {2,}", line.strip())[:-1]:
            assert (folder / name).exists(), name
    packages = {path.name for path in (ROOT / "src" / "vireid").iterdir() if (path / "__init__.py").exists()}
    assert packages <= set(re.findall(r"(\w+)/", tree))
    assert {path.name for path in CONF.iterdir() if path.is_dir()} <= set(re.findall(r"(\w+)/", tree))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_results_are_those_of_the_table_of_all_methods():
    whole = (ROOT / "docs/tables/results_methods.md").read_text(encoding="utf-8").splitlines()
    head = cells(whole[2])
    rows = {row[0]: dict(zip(head, row, strict=True)) for row in map(cells, whole[4:]) if len(row) == len(head)}
    lines = (ROOT / "docs/results.md").read_text(encoding="utf-8").splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| method |"))
    told = [cells(line) for line in lines[start + 2 :][: len(rows)]]
    difference = "ours \N{GREEK CAPITAL LETTER DELTA} mAP"
    columns = ("ours rank-1", "ours mINP", "ours mAP", difference, "group", "epochs to 90 %")
    assert {row[0].strip("`"): row[1:7] for row in told} == {
        name: [row[column] for column in columns] for name, row in rows.items()
    }
    means = [float(row[3].split()[0]) for row in told]
    assert means == sorted(means, reverse=True)
