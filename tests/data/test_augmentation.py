"""Normalisation and random changes of training batches. CPU, seconds."""

import numpy as np
import pytest
import torch

from vireid.data.augmentation import (
    ERASED_AREA,
    MEAN,
    STD,
    augmented,
    crop_and_flip,
    erase,
    mix_channels,
    normalise,
)
from vireid.params import Augmentation

HEIGHT, WIDTH = 24, 12
EVERYTHING = Augmentation(pad=3, flip=0.5, erase=0.5, channel_mix=0.5, signed_mix=True)
NOTHING = Augmentation(pad=0, flip=0.0, erase=0.0, channel_mix=0.0, signed_mix=False)
MODALITY = torch.tensor([0] * 8 + [1] * 8)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def images():
    return torch.from_numpy(rng(9).integers(1, 256, (16, HEIGHT, WIDTH, 3), np.uint8))


def changed(images, seed=0, **settings):
    return augmented(images, MODALITY, NOTHING.model_copy(update=settings), rng(seed))


def test_normalise_subtracts_the_mean_and_divides_by_the_deviation():
    image = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    expected = [(value - m) / s for value, m, s in zip((0, 1, 0.2), MEAN, STD, strict=True)]
    assert normalise(image).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_result_is_float32_channels_last(images):
    batch = augmented(images, MODALITY, EVERYTHING, rng())
    assert batch.shape == (16, 3, HEIGHT, WIDTH)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert normalise(images).is_contiguous(memory_format=torch.channels_last)


def test_probabilities_of_zero_change_nothing(images):
    assert torch.equal(changed(images), normalise(images))


def test_same_generator_gives_the_same_batch_and_another_one_another(images):
    first, same, other = (augmented(images, MODALITY, EVERYTHING, rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_images_given_are_not_changed(images):
    before = images.clone()
    augmented(images, MODALITY, EVERYTHING, rng())
    assert torch.equal(images, before)


def test_crop_is_a_window_of_the_padded_image(images):
    pad = 3
    places = set()
    for image, found in zip(images, crop_and_flip(images, pad, 0.0, rng()), strict=True):
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        fits = [
            (top, left)
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
            if np.array_equal(padded[top : top + HEIGHT, left : left + WIDTH], found)
        ]
        assert len(fits) == 1
        places.add(fits[0])
    assert len(places) > 8


def test_crop_reaches_every_corner_of_the_padding():
    images = torch.full((400, 4, 4, 3), 7, dtype=torch.uint8)
    found = crop_and_flip(images, 1, 0.0, rng())
    assert len({tuple(image[:, :, 0].flatten().tolist()) for image in found}) == 9


def test_flip_of_one_mirrors_every_image(images):
    assert torch.equal(crop_and_flip(images, 0, 1.0, rng()), images.flip(2))


def test_flip_of_a_half_mirrors_about_half():
    images = torch.zeros((1000, 2, 2, 3), dtype=torch.uint8)
    images[:, :, 0] = 1
    mirrored = crop_and_flip(images, 0, 0.5, rng())[:, 0, 1, 0].float().mean()
    assert 0.45 < mirrored < 0.55


@pytest.mark.parametrize("signed", [True, False])
def test_channel_mix_makes_channels_equal_in_visible_images_only(images, signed):
    batch = changed(images, channel_mix=1.0, signed_mix=signed)
    assert torch.equal(batch[:8, 0], batch[:8, 1])
    assert torch.equal(batch[:8, 0], batch[:8, 2])
    assert torch.equal(batch[8:], normalise(images)[8:])


def test_channel_mix_of_a_half_leaves_some_visible_images(images):
    batch, plain = changed(images, channel_mix=0.5), normalise(images)
    kept = [torch.equal(a, b) for a, b in zip(batch[:8], plain[:8], strict=True)]
    assert 0 < sum(kept) < 8


def test_mixed_image_is_standardised(images):
    mixed = mix_channels(normalise(images), True, rng())
    assert mixed.mean(dim=(1, 2, 3)).abs().max() < 1e-4
    assert mixed[:, 0].std(dim=(1, 2)).sub(1).abs().max() < 0.05


def test_only_signed_weights_turn_an_image_into_its_negative():
    ramp = torch.linspace(-1, 1, HEIGHT * WIDTH).view(1, 1, HEIGHT, WIDTH).expand(64, 3, -1, -1)
    rises = {signed: mix_channels(ramp, signed, rng())[:, 0, -1, -1] > 0 for signed in (True, False)}
    assert rises[False].all()
    assert 8 < rises[True].sum() < 56


def test_image_of_one_colour_is_mixed_without_nan():
    assert torch.isfinite(mix_channels(torch.full((2, 3, 4, 4), 0.3), True, rng())).all()


def test_erased_part_is_one_rectangle_of_the_mean_colour_of_bounded_area(images):
    batch = normalise(images) + 10  # no pixel is zero before
    shares = []
    for seed in range(20):
        for image in erase(batch.clone(), 1.0, rng(seed)):
            erased = (image == 0).all(dim=0)
            assert torch.equal(erased, (image == 0).any(dim=0))
            rows, columns = erased.any(dim=1), erased.any(dim=0)
            assert torch.equal(erased, rows[:, None] & columns[None, :])
            for line in (rows, columns):  # one stretch
                assert (line.int().diff() == 1).sum() + line[0] <= 1
            shares.append(erased.float().mean().item())
    # A rectangle's edge falls between pixels: up to one row and one column more or less.
    assert max(shares) < ERASED_AREA[1] + 1 / HEIGHT + 1 / WIDTH
    assert max(shares) > ERASED_AREA[1] / 2
    assert sum(share == 0 for share in shares) < 10
    assert np.mean(shares) == pytest.approx(np.mean(ERASED_AREA), rel=0.2)


def test_erasing_half_leaves_about_half_untouched():
    batch = torch.ones(600, 3, HEIGHT, WIDTH)
    untouched = (erase(batch, 0.5, rng()) == 1).flatten(1).all(dim=1).float().mean().item()
    assert 0.43 < untouched < 0.57
