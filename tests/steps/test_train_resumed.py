"""Training runs that are interrupted or killed go on and end in the same bits. CPU, seconds."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import h5py
import pytest
import torch

from tests.made import ROOT, write_params
from tests.steps.training_run import interrupt, results
from vireid.methods.baseline.method import Baseline
from vireid.steps import train as module
from vireid.support.errors import UserError
from vireid.training import resume
from vireid.training.loop import Trainer
from vireid.training.resume import ResumePoint


def saved_states(folder):
    return sorted(path.name for path in (folder / ".ckpt").glob("*/*") if path.is_file())


@pytest.mark.parametrize(("method", "epoch"), [("fprnet_release", 1), ("baseline", 2), ("tffn", 2)])
def test_interrupted_run_ends_as_if_it_had_not_been(trained, monkeypatch, method, epoch):
    trained(method, train__epochs=3)
    expected = results(trained.folder)
    with monkeypatch.context() as patch:
        interrupt(patch, epoch)
        with pytest.raises(KeyboardInterrupt):
            trained(method, train__epochs=3)
    assert not (trained.folder / "model").exists()
    assert saved_states(trained.folder) == (["last.pt"] if epoch == 1 else ["before.pt", "last.pt"])
    epochs = counted_epochs(monkeypatch)
    trained(method, train__epochs=3)
    assert epochs == list(range(epoch, 3))
    assert results(trained.folder) == expected


def interrupt_at_step(monkeypatch, number):
    """Let a step fail, counted from 1 over all epochs, and count those that are made."""
    made = []
    original = Trainer._step

    def step(self, batch):
        if len(made) + 1 == number:
            raise KeyboardInterrupt
        made.append(batch)
        return original(self, batch)

    monkeypatch.setattr(Trainer, "_step", step)
    return made


CYCLES = {"orthogonal": True, "cycles": 1, "first_epoch": 1, "restraint": 1, "relaxation": 1}


@pytest.mark.parametrize(
    ("method", "changes"),
    [("fprnet", {"model__svd": CYCLES}), ("tffn", {}), ("hpiln", {"loss__kind": "centre"}), ("ddag", {})],
)
def test_run_interrupted_within_an_epoch_ends_as_if_it_had_not_been(trained, monkeypatch, method, changes):
    changes = changes | {"train__epochs": 3, "train__steps_per_epoch": 5, "compute__save_every": 2}
    trained(method, **changes | {"compute__save_every": 0})
    expected = results(trained.folder)
    with monkeypatch.context() as patch:
        interrupt_at_step(patch, 10)  # the last one of the second epoch, after whose fourth a state was saved
        with pytest.raises(KeyboardInterrupt, match=r"in epoch 2 of 3, after step 4 of 5; .* goes on from there"):
            trained(method, **changes)
    with monkeypatch.context() as patch:
        made = interrupt_at_step(patch, None)
        trained(method, **changes)
    assert len(made) == 1 + 5
    assert results(trained.folder) == expected


def test_interruption_and_resumption_say_where_the_training_stands(trained, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        interrupt(patch, 0)
        with pytest.raises(KeyboardInterrupt, match="interrupted in epoch 1 of 4, before anything was saved"):
            trained(train__epochs=4, train__steps_per_epoch=1)
    assert "resuming" not in capsys.readouterr().err
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(KeyboardInterrupt, match=r"interrupted after epoch 2 of 4; .*`dvc repro`.* goes on"):
            trained(train__epochs=4, train__steps_per_epoch=1)
    assert "resuming" not in capsys.readouterr().err
    trained(train__epochs=4, train__steps_per_epoch=1)
    assert "resuming at epoch 3 of 4" in capsys.readouterr().err


def test_training_that_only_lacks_its_model_says_so(trained, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        patch.setattr(module, "save_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            trained()
    trained()
    assert "resuming after epoch 2, the last one" in capsys.readouterr().err


def test_run_interrupted_within_a_cycle_of_the_svd_layers_ends_as_if_it_had_not_been(trained, monkeypatch):
    # Epoch 1 decorrelates and holds, 2 holds, 3 lets go.
    cycles = {"orthogonal": True, "cycles": 1, "first_epoch": 1, "restraint": 2, "relaxation": 1}
    changes = {"train__epochs": 4, "train__steps_per_epoch": 2, "model__svd": cycles}
    trained(**changes)
    expected = results(trained.folder)
    for epoch in (1, 2):
        with monkeypatch.context() as patch:
            interrupt(patch, epoch)
            with pytest.raises(KeyboardInterrupt):
                trained(**changes)
        trained(**changes)
        assert results(trained.folder) == expected


def test_interrupted_run_goes_on_with_the_same_random_numbers(trained, monkeypatch):
    original = Baseline.forward

    def noisy(self, batch, everyone):
        return original(self, replace(batch, images=batch.images + torch.randn_like(batch.images)), everyone)

    monkeypatch.setattr(Baseline, "forward", noisy)
    trained("baseline", train__epochs=3)
    expected = results(trained.folder)
    with monkeypatch.context() as patch:
        interrupt(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            trained("baseline", train__epochs=3)
    trained("baseline", train__epochs=3)
    assert results(trained.folder) == expected


def counted_epochs(monkeypatch, stop=False):
    """Record which epochs are really trained, or where it is stopped before it begins one."""
    epochs = []
    original = Trainer._epoch

    def counted(self, epoch, bar):
        epochs.append(epoch)
        if stop:
            raise KeyboardInterrupt
        return original(self, epoch, bar)

    monkeypatch.setattr(Trainer, "_epoch", counted)
    return epochs


def test_state_is_deleted_after_success(trained):
    trained()
    assert saved_states(trained.folder) == []
    assert not list((trained.folder / ".ckpt").glob("*/"))


def test_run_with_other_parameters_does_not_resume(trained, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            trained()
    assert saved_states(trained.folder) == ["last.pt"]
    epochs = counted_epochs(monkeypatch, stop=True)
    for changes in ({"train__lr": 0.01}, {"seed": 3}, {"loss__lambda1": 2.0}, {"train__epochs": 4}, {}):
        with pytest.raises(KeyboardInterrupt):
            trained(**changes)
    assert epochs == [0, 0, 0, 0, 1]
    assert saved_states(trained.folder) == ["last.pt"]


def test_run_on_other_images_does_not_resume(trained, monkeypatch, images_file):
    interrupt(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        trained()
    changed = trained.folder / "images.h5"
    shutil.copy(images_file, changed)
    with h5py.File(changed, "a") as file:
        file["train/visible/image"][0, 0, 0, 0] ^= 1
    epochs = counted_epochs(monkeypatch, stop=True)
    with pytest.raises(KeyboardInterrupt):
        trained(images=changed)
    assert epochs == [0]


def resume_point(*inputs, method="baseline", **parameters):
    return ResumePoint({"method": method} | parameters, list(inputs))


def test_key_depends_on_parameters_inputs_and_nothing_else(workplace):
    first, second = workplace / "a", workplace / "b"
    first.write_text("1")
    second.write_text("2")
    points = [
        resume_point(first, x=1, y=2),
        resume_point(first, y=2, x=1),
        resume_point(first, x=1, y=3),
        resume_point(second, x=1, y=2),
    ]
    folders = [point.folder for point in points]
    assert folders[0] == folders[1]
    assert len(set(folders)) == 3
    assert folders[0].parent == workplace / ".ckpt"


@pytest.mark.parametrize(
    ("edited", "kept"),
    [
        ("methods/fprnet/method.py", {"baseline", "tffn"}),
        ("methods/fprnet/pyramid.py", {"baseline", "tffn"}),
        ("methods/tffn/method.py", {"baseline", "fprnet"}),
        ("methods/tffn/parts/new.py", {"baseline", "fprnet"}),
        ("methods/base.py", set()),
        ("backbones/neck.py", set()),
        ("losses/triplet.py", set()),
        ("retrieval/ranking.py", {"baseline", "fprnet", "tffn"}),
    ],
)
def test_killed_run_is_resumed_only_where_no_code_of_its_method_was_edited(workplace, monkeypatch, edited, kept):
    package = shutil.copytree(ROOT / "src" / "vireid", workplace / "vireid")
    monkeypatch.setattr(resume, "_PACKAGE", package)

    def folders():
        return {method: resume_point(method=method).folder for method in ("baseline", "fprnet", "tffn")}

    before = folders()
    (package / edited).parent.mkdir(exist_ok=True)
    with (package / edited).open("a") as file:
        file.write("# edited\n")
    after = folders()
    assert {method for method in before if before[method] == after[method]} == kept


def test_second_run_of_the_same_training_is_refused(workplace):
    with resume_point(x=1) as first:
        with pytest.raises(UserError, match="already running") as error, resume_point(x=1):
            pass
        assert error.value.where == first.folder
        with resume_point(x=2):
            pass
    with resume_point(x=1):
        pass


def test_lock_is_given_back_after_an_error(trained, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, 0)
        with pytest.raises(KeyboardInterrupt):
            trained()
    trained()


def test_saved_state_is_replaced_as_a_whole(workplace):
    with resume_point() as point:
        assert point.load() is None
        point.save({"history": [1]})
        point.save({"history": [1, 2]})
        assert point.load() == {"history": [1, 2]}
        assert sorted(path.name for path in point.folder.iterdir()) == ["before.pt", "last.pt"]
        point.clear()
        assert point.load() is None


@pytest.mark.parametrize("damage", [lambda s: s[:-1], lambda s: b"", lambda s: s[:50] + b"?" + s[51:]])
def test_damaged_state_falls_back_to_the_one_before_it_and_says_so(workplace, damage, capsys):
    with resume_point() as point:
        for history in ([1], [1, 2], [1, 2, 3]):
            point.save({"history": history})
        last = point.folder / "last.pt"
        last.write_bytes(damage(last.read_bytes()))
        assert point.load() == {"history": [1, 2]}
        assert "damaged" in capsys.readouterr().err
        point.save({"history": [1, 2, 4]})  # replaces nothing sound
        kept = [torch.load(point.folder / f"{name}.pt")["history"] for name in ("last", "before")]
        assert kept == [[1, 2, 4], [1, 2]]
        point.clear()
        assert not point.folder.exists()


def test_state_is_found_where_the_last_renaming_was_missed(workplace):
    with resume_point() as point:
        point.save({"history": [1]})
        (point.folder / "last.pt").rename(point.folder / "before.pt")
        assert point.load() == {"history": [1]}


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut"])
def test_unreadable_state_is_an_error_that_says_how_to_begin_anew(workplace, content):
    with resume_point() as point:
        for history in ([1], [1, 2]):
            point.save({"history": history})
        for name in ("last.pt", "before.pt"):
            (point.folder / name).write_bytes(content)
        for _ in range(2):  # until somebody does something about it
            with pytest.raises(UserError, match="cannot be read") as error:
                point.load()
    assert f"move the folder {point.folder} elsewhere" in error.value.remedy


def test_state_that_does_not_fit_into_the_memory_is_not_to_be_deleted(workplace, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    with resume_point() as point:
        point.save({"history": [1]})
        monkeypatch.setattr(torch, "load", fail)
        with pytest.raises(UserError, match="free some and run again") as error:
            point.load()
    assert "delete" not in error.value.remedy


@pytest.mark.slow
def test_killed_run_goes_on_and_ends_with_the_same_bytes(trained, dataset, images_file, overlay_file):
    changes = {"train__epochs": 10, "train__steps_per_epoch": 4}
    write_params(trained.folder / "params.yaml", dataset, **changes)
    trained(**changes)
    expected = results(trained.folder)
    arguments = ["--params", "params.yaml", "--images", str(images_file), "--overlay", str(overlay_file)]
    process = subprocess.Popen(
        [sys.executable, ROOT / "stages" / "train.py", *arguments, "--model", "model", "--curves", "curves"],
        cwd=trained.folder,
        env=os.environ | {"DVC_ROOT": str(trained.folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not list((trained.folder / ".ckpt").glob("*/last.pt")):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(UserError, match="already running"):
            trained(**changes)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (trained.folder / "model").exists()
    trained(**changes)
    assert results(trained.folder) == expected
