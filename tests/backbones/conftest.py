"""Places where pretrained weights are looked for, empty and without a network."""

from urllib.error import URLError

import pytest
import torch


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A torch.hub folder of its own, and no network."""

    def offline(*args, **kwargs):
        raise URLError("no route")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder
