"""Where a command computes, chosen by an option: commands that belong to no run do not read `params.yaml`."""

from enum import StrEnum

import typer


class DeviceName(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DEVICE = typer.Option(help="Where to compute.")
