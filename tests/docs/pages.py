"""The pages of the documentation: their prose, their blocks, and the commands in both."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.made import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("vireid", "dvc", "make", "python", "pytest", "git", "sed", "source")
# How a block is tested, in a comment before it that readers do not see.
RUNS, RUNS_IN_A_PROJECT, ONLY_PARSED = "runs", "runs in a project", "only parsed"
_BLOCK = re.compile(r"(?:<!-- ([^>\n]+) -->\n)?^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What stands behind the fence.
        text: Its lines.
        test: `RUNS`: tests/docs runs it as Python, or the commands of vireid in it. `RUNS_IN_A_PROJECT`:
            tests/pipeline runs all of it. `ONLY_PARSED`, with a reason behind a colon: too long to run, or run
            elsewhere. Empty where the page says nothing.
    """

    language: str
    text: str
    test: str

    @property
    def lines(self) -> list[str]:
        """What is typed in a console block, without the prompt."""
        return [line.strip()[2:] for line in self.text.splitlines() if line.strip().startswith("$ ")]


def commands_of(line: str) -> Iterator[list[str]]:
    """The words of each command of a line, which `&&` separates."""
    words = shlex.split(line, comments=True)
    while "&&" in words:
        end = words.index("&&")
        yield words[:end]
        words = words[end + 1 :]
    yield words


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    return [
        Block(match[3], re.sub(rf"^{match[2]}", "", match[4], flags=re.MULTILINE), match[1] or "")
        for match in _BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def inline_codes(page: Path) -> list[str]:
    """What a page's prose sets between backticks, without line breaks."""
    return [re.sub(r"\s+", " ", code) for code in _INLINE.findall(prose(page))]


def block_commands() -> list[tuple[str, ...]]:
    """Every command of a console block, each once."""
    return sorted(
        {
            tuple(words)
            for page in PAGES
            for block in blocks(page)
            if block.language == "console"
            for line in block.lines
            for words in commands_of(line)
        }
    )


def inline_commands() -> list[tuple[str, ...]]:
    """Every command that the prose names, each once; some only as a name, such as `vireid table`."""
    codes = {code for page in PAGES for code in inline_codes(page) if code.split(" ")[0] in PROGRAMS}
    return sorted({tuple(words) for code in codes for words in commands_of(code) if len(words) > 1})
