"""`vireid compare-losses`: what it trains and draws, that it repeats, what it refuses. CPU, seconds."""

import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from tests.made import CONF
from tests.methods.batches import paired_batch
from vireid.cli import app
from vireid.losses.gather import alone
from vireid.losses.identity import identity_loss
from vireid.losses.pentaplet import pentaplet_loss
from vireid.plane.training import few_identities, plane_loss
from vireid.support.errors import UserError

POINTS = torch.tensor([[0.0, 1.0], [2.0, 0.0], [0.5, 1.5], [2.0, 1.0]])


@pytest.fixture
def run(workplace, images_file):
    def compare(*options, steps=2):
        arguments = ["compare-losses", "--images", images_file, "--schedule", "scratch", "--steps", steps]
        arguments += ["--pids", 3, "--device", "cpu", "--conf", CONF, *options]
        return CliRunner().invoke(app, list(map(str, arguments)))

    return compare


def test_points_of_every_image_under_three_losses_are_drawn_and_repeat(run, workplace):
    result = run("--output", "first.png")
    assert result.exit_code == 0, result.output
    assert "first.png" in result.stdout
    points = pd.read_csv("first.csv")
    assert list(points.columns) == ["loss", "pid", "spectrum", "x", "y"]
    assert points["loss"].unique().tolist() == ["identity", "hp", "hpi"]
    counts = points.groupby(["loss", "pid", "spectrum"]).size()
    assert len(counts) == 3 * 3 * 2
    assert counts.xs("visible", level="spectrum").nunique() == 1
    with Image.open("first.png") as picture:
        assert picture.width > 2 * picture.height
    run("--output", "second.png")
    run("--output", "other.png", "--seed", 1)
    first, second, other = (pd.read_csv(f"{name}.csv") for name in ("first", "second", "other"))
    assert first.equals(second)
    assert not first.equals(other)


def test_losses_start_from_the_same_weights_and_end_apart(run):
    run("--output", "planes.png", steps=3)
    planes = {loss: part[["x", "y"]].to_numpy() for loss, part in pd.read_csv("planes.csv").groupby("loss")}
    assert abs(planes["identity"] - planes["hp"]).max() > 1e-4
    assert abs(planes["hp"] - planes["hpi"]).max() > 1e-4


@pytest.mark.parametrize("kind", ["identity", "hp", "hpi"])
def test_loss_is_the_sum_of_its_terms(kind):
    batch, logits = paired_batch([0, 1], 4, 4), torch.randn(4, 2)

    class Fixed(nn.Module):
        def forward(self, _images):
            return POINTS, logits

    terms = {
        "identity": identity_loss(logits, batch.labels),
        "hp": pentaplet_loss(POINTS, batch.labels, 2, 0.7, alone),
    }
    expected = sum(terms.values()) if kind == "hpi" else terms[kind]
    torch.testing.assert_close(plane_loss(Fixed(), batch, kind, 0.7), expected)


def test_too_few_identities_are_refused(images_file):
    assert len(few_identities(images_file, 12).pids) == 12
    with pytest.raises(UserError, match="too few identities") as error:
        few_identities(images_file, 13)
    assert error.value.found == 12


def test_images_are_not_overwritten(run, images_file):
    result = run("--output", images_file)
    assert result.exit_code == 1
    assert "what the command reads" in result.stderr
