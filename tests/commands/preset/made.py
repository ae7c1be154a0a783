"""The choices that `vireid preset` has, and the command."""

from typer.testing import CliRunner

from tests.made import ROOT
from vireid.cli import app
from vireid.layers import GROUPS, flat

CHOICES = {group: sorted(path.stem for path in (ROOT / "conf" / group).glob("*.yaml")) for group in GROUPS}
SINGLE = [(group, name) for group, names in CHOICES.items() for name in names]


def preset(*choices):
    return CliRunner().invoke(app, ["preset", *choices])


def difference(before, after):
    """Keys whose values differ."""
    before, after = flat(before), flat(after)
    return {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}


def comments(text):
    return [line[line.index("#") :].strip() for line in text.splitlines() if "#" in line]
