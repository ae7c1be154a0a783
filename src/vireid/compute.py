"""Which device, which arithmetic: what the machine has, what was asked for, and what is used."""

import os
from dataclasses import dataclass, replace
from typing import Literal

import psutil
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment, TorchElasticEnvironment

from vireid.params import Compute, DeviceSettings, check_section
from vireid.support.errors import UserError
from vireid.support.progress import console
from vireid.support.surroundings import OF_SEVERAL

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
        deterministic: Whether operations that do not repeat to the bit are refused, told (`warn`) or taken.
    """

    accelerator: str
    precision: str
    threads: int
    memory_format: str = "channels_last"
    devices: int = 1
    deterministic: bool | Literal["warn"] = True

    def fabric(self, together: bool = False) -> Fabric:
        """Set up the arithmetic and a Fabric for this device, and start the other processes if there are several.

        There are as many on a machine as `devices`, whatever a scheduler has put into the environment.

        Args:
            together: Whether processes that `torchrun` has started, here and on other machines, share the work.

        Raises:
            UserError: If `torchrun` has started another number of them on this machine than `devices`.
        """
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it cuBLAS does not repeat
        torch.set_num_threads(self.threads)
        torch.use_deterministic_algorithms(bool(self.deterministic), warn_only=self.deterministic == "warn")
        # Costs time in every allocation, and only matters to code that reads memory it never wrote.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # set by torch
        by_torchrun = together and TorchElasticEnvironment.detect()
        environment = TorchElasticEnvironment() if by_torchrun else LightningEnvironment()
        if by_torchrun:
            self._require_a_process_per_device(int(os.environ["LOCAL_WORLD_SIZE"]))
        if self.devices > 1 and not by_torchrun:
            os.environ[OF_SEVERAL] = "1"  # for the processes that are started now
        fabric = Fabric(
            accelerator=self.accelerator,
            devices=self.devices,
            num_nodes=environment.world_size() // self.devices if by_torchrun else 1,
            precision=_FABRIC_PRECISION[self.precision],
            plugins=environment,  # named, so that none is looked for
        )
        fabric.launch()
        console.quiet = not fabric.is_global_zero  # one process speaks
        return fabric

    def _require_a_process_per_device(self, started: int) -> None:
        """Check that there is a process on this machine for each of its devices."""
        if started != self.devices:
            raise UserError(
                "compute.devices",
                "torchrun has started another number of processes on this machine",
                expected=f"torchrun --nproc-per-node {self.devices}, a process for each device",
                found=started,
                remedy="give compute.devices and --nproc-per-node the same number; --nnodes is free",
            )


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


def choose_training_device(compute: Compute) -> Device:
    """The same for training, which alone takes several devices, and lets operations not repeat to the bit.

    Raises:
        UserError: If CUDA is asked for and there is none.
    """
    return replace(choose_device(compute), devices=compute.devices, deterministic=compute.deterministic)


def memory_in_use(device: torch.device) -> int:
    """Bytes that this process holds: the most so far of a GPU's memory, or the host's now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


def _multiplies_bf16(accelerator: str) -> bool:
    """Tell whether the processor multiplies bf16 matrices itself (AVX512-bf16, AMX, or a GPU that does)."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    features = torch.cpu.get_capabilities()
    return bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16"))
