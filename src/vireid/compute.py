"""Which device, which arithmetic: what the machine has, what was asked for, and what is used."""

import os
from dataclasses import dataclass
from typing import Literal

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from vireid.params import DeviceSettings, check_section
from vireid.support.errors import UserError

_FABRIC_PRECISION: dict[str, Literal["32-true", "bf16-mixed"]] = {"fp32": "32-true", "bf16": "bf16-mixed"}


@dataclass(frozen=True)
class Device:
    """The device and arithmetic in use, as recorded beside the model.

    Attributes:
        accelerator: `cpu` or `cuda`.
        precision: `fp32`, or `bf16` for automatic mixed precision.
        threads: CPU threads inside one operation; the last bits of a sum depend on it.
        memory_format: Always channels last, which convolutions in bf16 need to be fast.
        devices: How many of the accelerator, with a process each.
    """

    accelerator: str
    precision: str
    threads: int
    memory_format: str = "channels_last"
    devices: int = 1

    def fabric(self) -> Fabric:
        """Set up deterministic arithmetic and a Fabric for this device.

        It has the processes of `devices`, whatever a scheduler or a launcher has put into the environment.
        """
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS does not repeat
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(True)
        # Costs time in every allocation, and only matters to code that reads memory it never wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set by torch
        fabric = Fabric(
            accelerator=self.accelerator,
            devices=self.devices,
            precision=_FABRIC_PRECISION[self.precision],
            plugins=LightningEnvironment(),  # named, so that none is looked for
        )
        fabric.launch()
        return fabric


def all_cores(device: str = "auto", precision: str = "auto") -> DeviceSettings:
    """Settings for work that belongs to no run: all cores, as nothing has to repeat to the bit.

    Args:
        device: `auto`, `cpu` or `cuda`.
        precision: `auto`, `fp32` or `bf16`.
    """
    cores = os.cpu_count() or 1
    values = {"device": device, "precision": precision, "threads": cores, "workers": cores}
    return check_section(DeviceSettings, values, "the device", remedy="choose one of these")


def choose_device(compute: DeviceSettings) -> Device:
    """Turn the parameters into what this machine will use.

    Raises:
        UserError: If CUDA is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if compute.device == "cuda" and not has_cuda:
        raise UserError(
            "compute.device",
            "no CUDA device",
            expected="a GPU that torch can see",
            found="none",
            remedy="set compute.device, or a command's --device, to auto or cpu",
        )
    accelerator = ("cuda" if has_cuda else "cpu") if compute.device == "auto" else compute.device
    precision = compute.precision
    if precision == "auto":
        precision = "bf16" if _multiplies_bf16(accelerator) else "fp32"
    return Device(accelerator, precision, compute.threads)


def _multiplies_bf16(accelerator: str) -> bool:
    """Tell whether the processor multiplies bf16 matrices itself (AVX512-bf16, AMX, or a GPU that does)."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16"))
