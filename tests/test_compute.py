"""One device, one process, whatever the environment says. CPU, seconds."""

import pytest
import torch
from lightning_fabric.plugins.environments import LightningEnvironment

from vireid.compute import Device, all_cores, choose_device, choose_training_device
from vireid.support.errors import UserError

LAUNCHERS = {
    "slurm": {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "reid", "SLURM_PROCID": "5", "SLURM_LOCALID": "1"},
    "slurm without a rank": {"SLURM_NTASKS": "8", "SLURM_JOB_NAME": "reid"},
    "torchrun": {"TORCHELASTIC_RUN_ID": "x", "RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "3", "GROUP_RANK": "1"},
    "half of torchrun": {"RANK": "3", "WORLD_SIZE": "4"},
    "lsf": {
        "LSB_JOBID": "1",
        "LSB_DJOB_RANKFILE": "nowhere",
        "JSM_NAMESPACE_LOCAL_RANK": "1",
        "JSM_NAMESPACE_SIZE": "2",
    },
    "mpi": {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMI_SIZE": "4", "PMI_RANK": "2"},
    "kubeflow": {"KUBERNETES_PORT": "x", "MASTER_ADDR": "y", "MASTER_PORT": "1", "WORLD_SIZE": "4", "RANK": "1"},
    "xla": {"PJRT_DEVICE": "TPU", "XRT_TPU_CONFIG": "x"},
}


@pytest.fixture(autouse=True)
def _leave_torch_as_it_is():
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    yield
    torch.set_num_threads(threads)
    torch.set_deterministic_debug_mode(mode)


def test_work_that_belongs_to_no_run_takes_all_cores(monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    settings = all_cores("cpu")
    assert (settings.threads, settings.workers) == (5, 5)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_fabric_is_one_process_inside_any_launchers_job(monkeypatch, launcher):
    for name, value in LAUNCHERS[launcher].items():
        monkeypatch.setenv(name, value)
    fabric = Device("cpu", "fp32", 1).fabric()
    assert (fabric.world_size, fabric.global_rank, fabric.local_rank, fabric.device.type) == (1, 0, 0, "cpu")
    assert isinstance(fabric._connector.cluster_environment, LightningEnvironment)


@pytest.mark.parametrize("devices", [1, 2])
def test_torchrun_that_starts_another_number_than_there_are_devices_is_refused(monkeypatch, devices):
    for name, value in (LAUNCHERS["torchrun"] | {"LOCAL_WORLD_SIZE": "4"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"--nproc-per-node {devices}") as error:
        Device("cpu", "fp32", 1, devices=devices).fabric(together=True)
    assert error.value.found == 4


@pytest.mark.parametrize(("asked", "mode"), [(True, "error"), ("warn", "warn"), (False, "default")])
def test_operations_that_do_not_repeat_are_refused_told_or_taken(params, asked, mode):
    compute = params.compute.model_copy(update={"deterministic": asked})
    choose_training_device(compute).fabric()
    assert torch.get_deterministic_debug_mode() == {"default": 0, "warn": 1, "error": 2}[mode]
    choose_device(compute).fabric()  # what is no training always repeats
    assert torch.get_deterministic_debug_mode() == 2
