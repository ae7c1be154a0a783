"""Reading and writing YAML files, with an error that says which one is broken."""

from io import BytesIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError
from ruamel.yaml.comments import CommentedMap

from vireid.support.errors import UserError
from vireid.support.files import replacing


def read_yaml(path: Path, remedy: str = "mend it", with_comments: bool = False) -> Any:
    """Read a YAML file.

    Args:
        path: It is there.
        remedy: What to do if it is broken.
        with_comments: Return ruamel's containers, which keep comments and the way that numbers are written, rather
            than plain ones.

    Raises:
        UserError: If it is not YAML.
        FileNotFoundError: If it is missing.
    """
    return parse_yaml(path.read_bytes(), path, remedy, with_comments)


def parse_yaml(content: bytes, where: object, remedy: str = "mend it", with_comments: bool = False) -> Any:
    """Parse what a YAML file holds; `where` names it in the error.

    Raises:
        UserError: If it is not YAML.
    """
    parser = _with_comments() if with_comments else YAML(typ="safe", pure=True)
    try:
        return parser.load(content)
    except YAMLError as error:
        raise UserError(where, "not valid YAML", expected="YAML", found=error, remedy=remedy) from error


def write_yaml(path: Path, values: CommentedMap) -> None:
    """Write values with their comments, after it was seen that what is written reads back as these values.

    Raises:
        UserError: If it does not: a comment stands where ruamel cannot write it.
    """
    content = BytesIO()
    _with_comments().dump(values, content)
    if parse_yaml(content.getvalue(), path, with_comments=True) != values:
        raise UserError(
            path,
            "it cannot be written with its comments",
            expected="comments that stand above a key or behind its value",
            found="a comment at another place; nothing was written",
            remedy="move the comments that you have added, or `git checkout` the file, and run this again",
        )
    with replacing(path) as partial:
        partial.write_bytes(content.getvalue())


def _with_comments() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    return yaml
