"""Text that comes from users' files and folders, made ready to be shown."""

import re
from collections.abc import Callable, Sequence

_SEPARATORS = (r"/\s", "_-")  # behind which a name is broken, the best first


def printable(text: str) -> str:
    r"""Escape control characters, other invisible ones, and bytes of a file's name that are no UTF-8.

    Example:
        >>> print(printable("a\tb\ufeff") + printable(b"\xff.jpg".decode(errors="surrogateescape")))
        a\tb\ufeff\xff.jpg
    """
    return "".join(character if character.isprintable() else escaped(character) for character in text)


def escaped(character: str) -> str:
    r"""Write one character as Python would in a string: `\n`, `\u4e2d`, or `\xff` for a byte that is no UTF-8."""
    byte = ord(character) - 0xDC00  # Python decodes such bytes as U+DC80 to U+DCFF (PEP 383)
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else character.encode("unicode_escape").decode("ascii")


def fold(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """Break a name into lines: behind slashes and spaces, in a long part behind `_` and `-`, else anywhere.

    Args:
        text: The name.
        width: What a line may take.
        measure: What a text takes, in the same unit. A character that takes more stands on a line of its own.

    Example:
        >>> fold("sysu_mm01/all_search", 12, len)
        ['sysu_mm01/', 'all_search']
    """
    lines = [""]
    for piece in _pieces(text, width, measure, _SEPARATORS):
        if lines[-1] and measure((lines[-1] + piece).rstrip()) > width:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def _pieces(text: str, width: float, measure: Callable[[str], float], separators: Sequence[str]) -> list[str]:
    """Cut a text into pieces that fit a line, each as long as its separators allow."""
    if measure(text.rstrip()) <= width:
        return [text]
    if not separators:
        return list(text)
    parts = re.findall(rf"[^{separators[0]}]*[{separators[0]}]|[^{separators[0]}]+", text)
    return [piece for part in parts for piece in _pieces(part, width, measure, separators[1:])]
