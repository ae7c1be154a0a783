"""Training by several processes, as users start it. CPU, a minute."""

import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress

import psutil
import pytest

from tests.made import ROOT, write_params
from vireid.training.model_folder import read_description

pytestmark = pytest.mark.slow
SECONDS = 120
CYCLES = {"orthogonal": True, "cycles": 1, "first_epoch": 1, "restraint": 1, "relaxation": 1}
CHANGES = {"train__epochs": 4, "train__steps_per_epoch": 3, "model__svd": CYCLES}
TORCHRUN = (sys.executable, "-m", "torch.distributed.run")
# Without batch normalisation nothing differs between one process and several.
PLAIN = {"name": "timm:test_convnext", "pretrained": False, "last_stride": 2, "lr_factor": 1.0}


@pytest.fixture
def stage(workplace, dataset, images_file, overlay_file):
    """The stage as a process: the command before its options, and parameters to change."""

    def start(*program, method="fprnet", folder=workplace, **changes):
        write_params(folder / "params.yaml", dataset, method, **changes)
        inputs = "--images", images_file, "--overlay", overlay_file
        outputs = "--model", "model", "--curves", "curves"
        return subprocess.Popen(
            [*(program or [sys.executable]), ROOT / "stages" / "train.py", *inputs, *outputs],
            cwd=folder,
            env=os.environ | {"DVC_ROOT": str(folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    return start


def end(process, code=0):
    """What a process and those that it started print until all have ended."""
    try:
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    assert process.returncode == code, output
    return output


def kill(process):
    """Kill a process and all that it has started, also in sessions of their own, as torchrun does."""
    with suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=10)


def kill_once_saved(process, folder):
    """Let a training run until it has saved two states, and kill all its processes."""
    try:
        deadline = time.monotonic() + SECONDS
        while not list((folder / ".ckpt").glob("*/before.pt")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        kill(process)


def curve(folder, name):
    """The values of a curve by epoch."""
    lines = (folder / "curves" / "plots" / "metrics" / f"{name}.tsv").read_text().splitlines()[1:]
    return [float(line.split()[1]) for line in lines]


@pytest.mark.parametrize(
    ("method", "program", "changes"),
    [
        ("fprnet", (), CHANGES),
        ("tffn", (*TORCHRUN, "--nproc-per-node", "2"), {}),
        ("hpiln", (), {}),
        ("mutual_prediction", (), {}),
    ],
)
def test_two_processes_leave_one_model_and_one_of_them_speaks(stage, workplace, method, program, changes):
    changes = {"train__epochs": 2, "train__steps_per_epoch": 3} | changes
    output = end(stage(*program, method=method, compute__devices=2, **changes))
    assert output.count("model: epoch") == 1
    description, _ = read_description(workplace / "model")
    assert description.compute["devices"] == 2
    assert len(list((workplace / "curves").rglob("total.tsv"))) == 1
    assert not list((workplace / ".ckpt").glob("*/"))


def test_training_goes_on_with_another_number_of_processes_and_the_same_losses(stage, workplace):
    changes = {"method": "one_stream", "model__trunk": PLAIN, "train__epochs": 8, "train__lr": 1e-5}
    changes |= {"compute__save_every": 1, "train__steps_per_epoch": 3}
    end(stage(compute__devices=1, **changes))
    expected = curve(workplace, "loss/total")
    for name in ("model", "curves"):
        shutil.rmtree(workplace / name)
    kill_once_saved(stage(compute__devices=2, **changes), workplace)
    assert not (workplace / "model").exists()
    assert "resuming at epoch" in end(stage(compute__devices=1, **changes))
    assert curve(workplace, "loss/total") == pytest.approx(expected, rel=1e-6)
    assert read_description(workplace / "model")[0].compute["devices"] == 1


def test_curves_of_two_processes_are_those_of_one_where_nothing_is_normalised_over_a_batch(stage, workplace):
    curves = []
    for devices in (1, 2):
        end(stage(method="one_stream", compute__devices=devices, model__trunk=PLAIN, train__steps_per_epoch=4))
        curves.append([*curve(workplace, "loss/total"), *curve(workplace, "gradient_norm")])
    assert len(curves[0]) == 2 * 2
    assert curves[1] == pytest.approx(curves[0], rel=1e-5)


def test_two_machines_go_on_from_the_state_of_the_first(stage, workplace):
    """Each has a disk of its own, and only the first saves."""
    changes = CHANGES | {"train__epochs": 8, "compute__save_every": 1}
    folders = [workplace / name for name in ("first", "second")]

    def start():
        with closing(socket.socket()) as listener:
            listener.bind(("127.0.0.1", 0))
            port = str(listener.getsockname()[1])
        machines = *TORCHRUN, "--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1"
        return [
            stage(*machines, "--master-port", port, "--node-rank", str(rank), folder=folder, **changes)
            for rank, folder in enumerate(folders)
        ]

    for folder in folders:
        folder.mkdir()
    first, second = start()
    try:
        kill_once_saved(first, folders[0])
    finally:
        kill(second)
    first, second = start()
    try:
        assert "resuming at epoch" in end(first)
        assert "model: epoch" not in end(second)
    finally:
        kill(second)
    assert [(folder / "model").is_dir() for folder in folders] == [True, False]
    assert read_description(folders[0] / "model")[0].compute["devices"] == 2
    assert not list((folders[1] / ".ckpt").glob("*/*.pt"))


def run_patched(path, lines):
    """A program that changes the code before it runs the stage; each process of several starts it again."""
    stages, stage = ROOT / "stages", str(ROOT / "stages" / "train.py")
    path.write_text(
        "import sys\n"
        f"sys.argv[1:] = [word for word in sys.argv[1:] if word != {stage!r}]\n"
        f"sys.path[:0] = [{str(ROOT / 'src')!r}, {str(stages)!r}]\n"
        f"{lines}\n"
        "import train, typer\n"
        "typer.run(train.main)\n"
    )
    return sys.executable, str(path)


def test_loss_that_is_not_finite_on_one_process_ends_all_with_one_reason(stage, workplace):
    program = run_patched(
        workplace / "second_loses.py",
        """
from vireid.training.loop import Trainer
real = Trainer._step
def step(self, batch):
    losses, others = real(self, batch)
    lost = self.fabric.global_rank == 1 and len(self.history) == 1
    return losses | {"total": losses["total"] * float("nan" if lost else "1")}, others
Trainer._step = step
""",
    )
    output = end(stage(*program, method="one_stream", compute__devices=2), code=1)
    assert output.count("epoch 2, step 1: the losses are not finite") == 2
    assert output.count("found:    total nan, identity ") == 2
    assert "Traceback" not in output
    assert not (workplace / "model").exists()
