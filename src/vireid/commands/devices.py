"""Where a command computes, chosen by an option: commands that belong to no run do not read `params.yaml`."""

import os
from enum import StrEnum
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from vireid.params import DeviceSettings


class DeviceName(StrEnum):
    """Where to compute."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


DEVICE = typer.Option(help="Where to compute.")


def compute_on(device: DeviceName, precision: str = "auto") -> "DeviceSettings":
    """Use all cores: nothing that such a command does has to repeat to the bit.

    Args:
        device: Where.
        precision: `auto`, `fp32` or `bf16`.
    """
    from vireid.params import DeviceSettings, check_section

    cores = os.cpu_count() or 1
    values = {"device": device.value, "precision": precision, "threads": cores, "workers": cores}
    return check_section(DeviceSettings, values, "--device", remedy="correct the option")
