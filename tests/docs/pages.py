"""The pages of the documentation as blocks and commands."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.made import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
_BLOCK = re.compile(r"(<!-- runs -->\n)?^( *)```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        page: Its file.
        language: What stands behind the fence.
        text: Its lines.
        runs: Whether the page says that it runs in seconds, by a comment that readers do not see.
    """

    page: Path
    language: str
    text: str
    runs: bool

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command of a console block; `&&` ends a command."""
        commands = []
        for line in self.text.splitlines():
            if line.strip().startswith("$ "):
                words = shlex.split(line.strip()[2:], comments=True)
                while "&&" in words:
                    end = words.index("&&")
                    commands.append(words[:end])
                    words = words[end + 1 :]
                commands.append(words)
        return commands


def blocks(language: str) -> list[Block]:
    """Every block of a language, page by page."""
    found = ((page, match) for page in PAGES for match in _BLOCK.finditer(page.read_text(encoding="utf-8")))
    return [
        Block(page, match[3], re.sub(rf"^{match[2]}", "", match[4], flags=re.MULTILINE), bool(match[1]))
        for page, match in found
        if match[3] == language
    ]
