"""The pages of the documentation: their prose, their blocks, and the commands in both."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.made import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("vireid", "dvc", "make", "python", "pytest", "git", "sed", "source")
_BLOCK = re.compile(r"(<!-- runs -->\n)?^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: What stands behind the fence.
        text: Its lines.
        runs: Whether the page says that it runs in seconds, by a comment that readers do not see. Of a console
            block the commands of vireid are run.
    """

    language: str
    text: str
    runs: bool

    @property
    def commands(self) -> Iterator[list[str]]:
        """The words of each command of a console block."""
        for line in self.text.splitlines():
            if line.strip().startswith("$ "):
                yield from _split(line.strip()[2:])


def blocks(page: Path) -> list[Block]:
    """Every block of a page, in order."""
    return [
        Block(match[3], re.sub(rf"^{match[2]}", "", match[4], flags=re.MULTILINE), bool(match[1]))
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
            for words in block.commands
        }
    )


def inline_commands() -> list[tuple[str, ...]]:
    """Every command that the prose names, each once; some only as a name, such as `vireid table`."""
    codes = {code for page in PAGES for code in inline_codes(page) if code.split(" ")[0] in PROGRAMS}
    return sorted({tuple(words) for code in codes for words in _split(code) if len(words) > 1})


def _split(line: str) -> Iterator[list[str]]:
    """Split a line into words, and at `&&` into commands."""
    words = shlex.split(line, comments=True)
    while "&&" in words:
        end = words.index("&&")
        yield words[:end]
        words = words[end + 1 :]
    yield words
