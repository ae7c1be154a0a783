"""Text that a person may have saved with any editor or spreadsheet."""

import codecs
from pathlib import Path

from vireid.support.errors import UserError

_SAVED_AS_UTF16 = "text in UTF-16, as some editors and spreadsheets save it"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(path: Path, problem: str, expected: str, remedy: str) -> str:
    """Read a text file in UTF-8; a byte-order mark before it is no part of the text.

    Args:
        path: The file.
        problem: What is wrong where it is no such text.
        expected: What should be in it, for the message.
        remedy: What the user can do, for the message.

    Raises:
        UserError: If the file holds anything but UTF-8; the message says what it holds.
    """
    content = path.read_bytes().removeprefix(codecs.BOM_UTF8)

    def refused(where: object, found: str) -> UserError:
        return UserError(
            where,
            problem,
            expected=f"{expected}, in UTF-8",
            found=found,
            remedy=f"save it as UTF-8, or {remedy}",
        )

    if content.startswith(_UTF16):
        raise refused(path, _SAVED_AS_UTF16)
    if b"\0" in content:
        raise refused(path, f"zero bytes: {_SAVED_AS_UTF16}, or no text at all")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        found = f"the byte {content[error.start]:#04x}, which is not UTF-8"
        line = content.count(b"\n", 0, error.start) + 1
        raise refused(f"{path}, line {line}", found) from error
