"""What tests of training runs share: what a run leaves, and a run that is interrupted."""

import shutil

from tests.made import tree
from vireid.steps import train as module


def results(folder):
    """Bytes of everything that a training leaves; afterwards it is gone."""
    found = tree(folder / "model") | {f"curves/{k}": v for k, v in tree(folder / "curves").items()}
    shutil.rmtree(folder / "model")
    shutil.rmtree(folder / "curves")
    return found


def table(content):
    """A dvclive TSV as {name: value by step}."""
    lines = [line.split("\t") for line in content.decode().splitlines()]
    return {int(row[lines[0].index("step")]): float(row[-1]) for row in lines[1:]}


def interrupt(monkeypatch, epoch):
    """Let the log callback fail in an epoch."""
    original = module._log

    def log(live, number, curves):
        if number == epoch:
            raise KeyboardInterrupt
        original(live, number, curves)

    monkeypatch.setattr(module, "_log", log)
