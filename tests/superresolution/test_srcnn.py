"""SRCNN: sizes, colour spaces, scores by hand, and that it learns to beat bicubic. CPU, seconds."""

import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.made import CONF, ROOT, read_yaml
from vireid.data.sixteen_bit import FULL_RANGE
from vireid.layers import compose, flat
from vireid.superresolution.originals import Originals
from vireid.superresolution.srcnn import (
    SRCNN,
    _draw,
    bicubic,
    mean_psnr,
    resized,
    rgb_to_ycbcr,
    score_against_bicubic,
    superresolve_images,
    train_srcnn,
    ycbcr_to_rgb,
)

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def smooth():
    """Soft blobs and edges, (24, 32, 32, 3) uint8: what bicubic blurs and a network can sharpen."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:32, :32]
    images = np.zeros((24, 32, 32, 3))
    for image in images:
        for _ in range(4):
            radius, (cy, cx) = rng.uniform(4, 10), rng.uniform(0, 32, 2)
            image += 60 / (1 + np.exp(2 * (np.hypot(y - cy, x - cx) - radius)))[..., None]
    return images.clip(0, 255).astype(np.uint8)


def settings(params, **changes):
    recipe = {"residual": True, "dropout": 0.0, "optimizer": "adam", "lr": 0.001, "patch": 0, "lr_drop_at": 0.7}
    return params.superresolve.model_copy(update=recipe | changes)


def course(images, chosen):
    """A weight of the network after each step; few steps are all logged."""
    weights = []

    def log(step, mse, network):
        weights.append(network.layers[5].weight.detach().clone())

    trained(images, chosen, log=log)
    return weights


def trained(images, chosen, seed=0, log=lambda *_: None):
    return train_srcnn(images, chosen, seed, CPU, log)


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("size", [(7, 5), (12, 6)])
def test_network_enlarges_luma_four_times(residual, size):
    network = SRCNN(residual, 0.5).eval()
    assert network(torch.rand(2, 1, *size)).shape == (2, 1, 4 * size[0], 4 * size[1])


def test_layers_are_those_of_table_7():
    convolutions = [layer for layer in SRCNN(False, 0.5).layers if isinstance(layer, torch.nn.Conv2d)]
    shapes = [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in convolutions]
    assert shapes == [(1, 64, (9, 9), (1, 1)), (64, 32, (1, 1), (1, 1)), (32, 4, (5, 5), (1, 1))]


def test_residual_network_starts_exactly_as_bicubic():
    luma = torch.rand(2, 1, 8, 6)
    assert torch.equal(SRCNN(True, 0.0).eval()(luma), bicubic(luma, 4))
    assert not torch.allclose(SRCNN(False, 0.0).eval()(luma), bicubic(luma, 4), atol=0.05)


def test_residual_network_learns_from_its_start():
    network = SRCNN(True, 0.0)
    network(torch.rand(1, 1, 8, 8)).square().mean().backward()
    assert network.layers[5].weight.grad.any()


@pytest.mark.parametrize("factor", [0.25, 2, 4])
def test_bicubic_keeps_a_constant_image(factor):
    assert torch.allclose(bicubic(torch.full((1, 1, 8, 8), 0.3), factor), torch.tensor(0.3), atol=1e-6)


def test_colour_spaces_are_inverse():
    images = torch.rand(3, 3, 5, 4)
    assert torch.allclose(ycbcr_to_rgb(rgb_to_ycbcr(images)), images, atol=1e-5)


def test_luma_and_colour_differences_are_those_of_jpeg():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    expected = np.asarray(Image.fromarray(pixels).convert("YCbCr")).astype(float) / 255
    found = rgb_to_ycbcr(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0).numpy()
    assert np.abs(found - expected + [0, 128 / 255, 128 / 255]).max() < 1.5 / 255


def test_grey_has_no_colour():
    found = rgb_to_ycbcr(torch.full((1, 3, 2, 2), 0.6))
    assert torch.allclose(found[0, 0], torch.tensor(0.6), atol=1e-6)
    assert found[0, 1:].abs().max() < 1e-6


def test_psnr_is_ten_times_the_logarithm_of_one_over_the_mean_square_per_image(smooth):
    images = smooth[:3]
    found = score_against_bicubic(SRCNN(True, 0.0).eval(), images, CPU)
    expected = []
    for image in images:
        luma = torch.from_numpy(image @ np.array([0.299, 0.587, 0.114])).float()[None, None] / 255
        error = bicubic(bicubic(luma, 0.25), 4).clamp(0, 1) - luma
        expected.append(-10 * math.log10(error.square().mean().item()))
    assert found["psnr"]["bicubic"] == pytest.approx(np.mean(expected), rel=1e-3)
    assert found["psnr"]["srcnn"] == pytest.approx(found["psnr"]["bicubic"], rel=1e-6)
    assert found["psnr"]["gain"] == pytest.approx(0, abs=1e-4)
    assert 0 < found["ssim"]["bicubic"] < 1


def test_ssim_is_the_mean_of_what_its_authors_compute_in_every_window(smooth):
    network, image = SRCNN(True, 0.0).eval(), smooth[:1]
    luma = torch.from_numpy(image @ np.array([0.299, 0.587, 0.114])).float()[None] / 255
    redrawn = bicubic(bicubic(luma, 0.25), 4).clamp(0, 1)[0, 0].double().numpy()
    target = luma[0, 0].double().numpy()
    bell = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    weights = np.outer(bell, bell) / bell.sum() ** 2
    similarities = []
    for top, left in np.ndindex(target.shape[0] - 10, target.shape[1] - 10):
        x, y = (part[top : top + 11, left : left + 11] for part in (target, redrawn))
        mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
        spread = (weights * (x - mean_x) ** 2).sum() + (weights * (y - mean_y) ** 2).sum()
        together = (weights * (x - mean_x) * (y - mean_y)).sum()
        brightness = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
        similarities.append(brightness * (2 * together + 9e-4) / (spread + 9e-4))
    found = score_against_bicubic(network, image, CPU)["ssim"]["bicubic"]
    assert found == pytest.approx(np.mean(similarities), abs=1e-4)


def test_image_that_is_reproduced_exactly_scores_a_hundred_decibels():
    black = np.zeros((2, 32, 32, 3), np.uint8)
    scores = score_against_bicubic(SRCNN(True, 0.0).eval(), black, CPU)
    assert scores["psnr"] == {"bicubic": 100, "srcnn": 100, "gain": 0}
    assert scores["ssim"]["bicubic"] == 1


def test_scores_are_means_over_images_whatever_the_batches(smooth, monkeypatch):
    from vireid.superresolution import srcnn

    network = SRCNN(False, 0.0).eval()
    whole = score_against_bicubic(network, smooth[:5], CPU)
    monkeypatch.setattr(srcnn, "_BATCH", 2)
    parts = score_against_bicubic(network, smooth[:5], CPU)
    for measure in whole:
        assert parts[measure] == pytest.approx(whole[measure], rel=1e-4)


def test_scores_of_a_black_image_are_numbers():
    found = score_against_bicubic(SRCNN(True, 0.0).eval(), np.zeros((2, 32, 32, 3), np.uint8), CPU)
    assert all(math.isfinite(value) for by_name in found.values() for value in by_name.values())


@pytest.mark.parametrize("patch", [0, 16])
def test_short_training_beats_bicubic(smooth, params, patch):
    chosen = settings(params, iterations=60, batch_size=8, patch=patch)
    network = trained(smooth[:16], chosen)
    found = score_against_bicubic(network, smooth[16:], CPU)
    assert not network.training
    assert found["psnr"]["gain"] > 0.5


def test_same_seed_gives_the_same_network(smooth, params):
    chosen = settings(params, iterations=3, batch_size=4, patch=16, dropout=0.5, residual=False)
    states = [trained(smooth[:4], chosen, seed).state_dict() for seed in (0, 0, 1)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["layers.0.weight"], states[2]["layers.0.weight"])


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adam"},
        {"lr": 0.02},
        {"lr_drop_at": 0.5},
        {"dropout": 0.5},
        {"batch_size": 3},
        {"momentum": 0.5},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_part_of_the_recipe_changes_what_is_learnt(smooth, params, changes):
    plain = {"iterations": 4, "batch_size": 4, "residual": False, "lr_drop_at": 1.0}
    plain |= {"optimizer": "sgd", "lr": 0.01, "momentum": 0.9}
    states = [trained(smooth[:8], settings(params, **plain | new)).state_dict() for new in ({}, {}, changes)]
    name = "layers.5.weight"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_learning_rate_drops_to_a_tenth_after_its_share_of_the_iterations(smooth, params):
    plain = {"batch_size": 4, "residual": False, "optimizer": "sgd", "momentum": 0.0}
    kept, dropped = (
        course(smooth[:8], settings(params, iterations=2, lr_drop_at=drop, **plain)) for drop in (1.0, 0.5)
    )
    assert torch.equal(kept[0], dropped[0])
    full, tenth = kept[1] - kept[0], dropped[1] - dropped[0]
    assert full.norm() > 0
    assert torch.allclose(tenth, full / 10, atol=1e-7)


def test_batches_are_mirrored_from_left_to_right_but_never_turned_upside_down(params):
    image = np.full((1, 16, 16, 3), 200, np.uint8)
    image[0, :4], image[0, :, :4] = 100, 0
    chosen = settings(params, batch_size=64)
    batch = _draw(image, chosen, torch.Generator().manual_seed(0))[:, 0]
    left, right, top, bottom = batch[:, -1, 0], batch[:, -1, -1], batch[:, 0, 8], batch[:, -1, 8]
    assert (top < bottom).all()
    assert 16 < (left < right).sum().item() < 48
    assert ((left < right) ^ (right < left)).all()


def test_log_sees_steps_errors_and_the_network_in_eval_mode_without_moving_the_training(smooth, params):
    chosen = settings(params, iterations=45, batch_size=2, patch=16, dropout=0.5)
    seen = []

    def log(step, mse, network):
        seen.append((step, mse, network.training))
        mean_psnr(network, smooth[:2], CPU)

    watched = trained(smooth[:8], chosen, log=log).state_dict()
    unwatched = trained(smooth[:8], chosen).state_dict()
    assert [step for step, _, _ in seen] == list(range(3, 46, 3))
    assert all(mse > 0 and not training for _, mse, training in seen)
    assert all(torch.equal(watched[name], unwatched[name]) for name in watched)


def test_literal_recipe_works_at_the_papers_sizes(params):
    """128x128 to 512x512, on whole images; one step."""
    images = np.random.default_rng(0).integers(0, 256, (2, 512, 512, 3), np.uint8)
    recipe = read_yaml(ROOT / "conf" / "superresolve" / "paper.yaml")["superresolve"]
    network = trained(images, params.superresolve.model_copy(update=recipe | {"iterations": 1, "batch_size": 2}))
    found = superresolve_images(network, images[:, ::4, ::4].copy(), 256, 256, CPU)
    assert found.shape == (2, 256, 256, 3)


@pytest.mark.parametrize("size", [(12, 9), (40, 40)])
def test_resizing_is_that_of_ingest(tmp_path, size):
    pixels = np.random.default_rng(0).integers(0, 256, (1, 24, 18, 3), np.uint8)
    Image.fromarray(pixels[0]).save(tmp_path / "a.png")
    assert np.array_equal(resized(pixels, *size), Originals(tmp_path, ["a.png"], FULL_RANGE).load(*size))


def test_images_of_the_right_size_are_not_touched():
    pixels = np.zeros((2, 5, 4, 3), np.uint8)
    assert resized(pixels, 5, 4) is pixels


def test_enlarged_images_have_the_packed_size_and_the_content_of_their_input():
    images = np.tile(np.array([200, 40, 90], np.uint8), (3, 16, 8, 1))
    found = superresolve_images(SRCNN(True, 0.0).eval(), images, 32, 16, CPU)
    assert (found.shape, found.dtype) == ((3, 32, 16, 3), np.uint8)
    assert np.abs(found.astype(int) - (200, 40, 90)).max() <= 1


def test_enlarged_image_is_upright(smooth):
    small = smooth[:2, ::4, ::4]
    found = superresolve_images(SRCNN(True, 0.0).eval(), np.ascontiguousarray(small), 32, 32, CPU)
    for image, original in zip(found, smooth[:2], strict=True):
        turned = [original, original[::-1], original[:, ::-1], original.transpose(1, 0, 2)]
        likeness = [np.corrcoef(image.ravel(), other.ravel())[0, 1] for other in turned]
        assert likeness[0] > 0.8
        assert likeness[0] == max(likeness)


def test_literal_recipe_is_that_of_section_4_3_1_and_table_7():
    chosen = {"schedule": "paper", "dataset": "synthetic", "method": "fprnet", "superresolve": "paper"}
    recipe = flat(compose(CONF, chosen).values["superresolve"])
    sizes = {"input": (128, 128), "apply": (128, 128), "output": (256, 256)}
    sides = {
        f"{name}.{side}": v
        for name, pair in sizes.items()
        for side, v in zip(("height", "width"), pair, strict=True)
    }
    ours = {"momentum": 0.9, "holdout_pids": 40}  # the paper says nothing of them
    assert recipe == sides | ours | {
        "enabled": True,
        "camera": 1,
        "residual": False,
        "dropout": 0.5,
        "optimizer": "sgd",
        "lr": 0.001,
        "lr_drop_at": 1.0,
        "iterations": 800,
        "batch_size": 32,
        "patch": 0,
    }
