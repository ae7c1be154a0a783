"""Training by several processes, as users start it. CPU, a minute."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

from tests.made import ROOT, write_params
from vireid.training.model_folder import read_description

pytestmark = pytest.mark.slow
SECONDS = 120
CYCLES = {"orthogonal": True, "cycles": 1, "first_epoch": 1, "restraint": 1, "relaxation": 1}
CHANGES = {"train__epochs": 4, "train__steps_per_epoch": 3, "model__svd": CYCLES}
# Without batch normalisation nothing differs between one process and several.
PLAIN = {"name": "timm:test_convnext", "pretrained": False, "last_stride": 2, "lr_factor": 1.0}


@pytest.fixture
def stage(workplace, dataset, images_file, overlay_file):
    """The stage as a process: the command before its options, and parameters to change."""

    def start(*program, method="fprnet", **changes):
        write_params(workplace / "params.yaml", dataset, method, **changes)
        options = [
            "--images",
            str(images_file),
            "--overlay",
            str(overlay_file),
            "--model",
            "model",
            "--curves",
            "curves",
        ]
        return subprocess.Popen(
            [*(program or [sys.executable]), str(ROOT / "stages" / "train.py"), *options],
            cwd=workplace,
            env=os.environ | {"DVC_ROOT": str(workplace)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def end(process):
    """What a process and those that it started print until all have ended."""
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    assert process.returncode == 0, output
    return output


def kill(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("program", [(), (sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2")])
def test_two_processes_leave_one_model_and_one_of_them_speaks(stage, workplace, program):
    output = end(stage(*program, compute__devices=2, **CHANGES))
    assert output.count("model: epoch") == 1
    description, _ = read_description(workplace / "model")
    assert description.compute["devices"] == 2
    assert len(list((workplace / "curves").rglob("total.tsv"))) == 1
    assert not list((workplace / ".ckpt").glob("*/"))


def test_training_of_two_processes_goes_on_with_one(stage, workplace):
    long = CHANGES | {"train__epochs": 12, "compute__save_every": 1}
    process = stage(compute__devices=2, **long)
    try:
        deadline = time.monotonic() + SECONDS
        while not list((workplace / ".ckpt").glob("*/before.pt")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        kill(process)
        process.wait()
    assert not (workplace / "model").exists()
    assert "resuming at epoch" in end(stage(compute__devices=1, **long))
    assert read_description(workplace / "model")[0].compute["devices"] == 1


def test_curves_of_two_processes_are_those_of_one_where_nothing_is_normalised_over_a_batch(stage, workplace):
    curves = []
    for devices in (1, 2):
        end(stage(method="one_stream", compute__devices=devices, model__trunk=PLAIN, train__steps_per_epoch=4))
        folder = workplace / "curves" / "plots" / "metrics"
        curves.append([(folder / name).read_text().split() for name in ("loss/total.tsv", "gradient_norm.tsv")])
    for one, two in zip(*curves, strict=True):
        assert len(one) == len(two) == 2 * (1 + 2)
        assert [float(value) for value in two[2:]] == pytest.approx([float(value) for value in one[2:]], rel=1e-5)
