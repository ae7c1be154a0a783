"""Reading YAML files, with an error that says which one is broken."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from vireid.support.errors import UserError


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
    parser = YAML() if with_comments else YAML(typ="safe", pure=True)
    try:
        return parser.load(path)
    except YAMLError as error:
        raise UserError(path, "not valid YAML", expected="YAML", found=error, remedy=remedy) from error
