"""Normalisation and random changes of training batches. CPU, seconds."""

from dataclasses import fields

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from vireid.data.augmentation import (
    ERASED_AREA,
    MEAN,
    STD,
    ZOOM,
    Changes,
    augmented,
    crop_and_flip,
    draw_changes,
    erase,
    exchange_channels,
    mix_channels,
    normalise,
    zoom,
)
from vireid.params import Augmentation

HEIGHT, WIDTH = 24, 12
EVERYTHING = {"pad": 3, "flip": 0.5, "erase": 0.5, "channel_mix": 0.5, "signed_mix": True, "zoom": 0.5}
EVERYTHING |= {"channel_exchange": 0.5}
NOTHING = Augmentation(
    pad=0, flip=0.0, erase=0.0, channel_mix=0.0, signed_mix=False, zoom=0.0, channel_exchange=0.0
)
SIGNED_MIX = {"channel_mix": 1.0, "signed_mix": True}
VISIBLE = 8  # of the 16 images


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture
def images():
    # Multiples of four: enlarged to 27 x 14, pixels are multiples of 1/63, none of them halfway between integers.
    return torch.from_numpy(4 * rng(9).integers(1, 64, (16, HEIGHT, WIDTH, 3), np.uint8))


def drawn(count=16, visible=VISIBLE, height=HEIGHT, width=WIDTH, seed=0, **settings) -> Changes:
    """Changes of some images, by settings that differ from nothing."""
    chosen = NOTHING.model_copy(update=settings)
    return draw_changes(visible, count - visible, height, width, chosen, rng(seed))


def changed(images, seed=0, **settings):
    return augmented(images, drawn(seed=seed, **settings), settings.get("pad", 0))


def test_normalise_subtracts_the_mean_and_divides_by_the_deviation():
    image = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    expected = [(value - m) / s for value, m, s in zip((0, 1, 0.2), MEAN, STD, strict=True)]
    assert normalise(image).flatten().tolist() == pytest.approx(expected, rel=1e-5)


def test_result_is_float32_channels_last(images):
    batch = changed(images, **EVERYTHING)
    assert batch.shape == (16, 3, HEIGHT, WIDTH)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert normalise(images).is_contiguous(memory_format=torch.channels_last)


def test_probabilities_of_zero_change_nothing(images):
    assert torch.equal(changed(images), normalise(images))


def test_same_generator_gives_the_same_batch_and_another_one_another(images):
    first, same, other = (changed(images, seed, **EVERYTHING) for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_images_given_are_not_changed(images):
    before = images.clone()
    changed(images, **EVERYTHING)
    assert torch.equal(images, before)


def enlarging(size):
    """(larger, size) weights of a row's pixels in those of the enlarged row, by the distances of their centres."""
    larger = round(size * ZOOM)
    weights = np.zeros((larger, size))
    for n in range(larger):
        place = min(max((n + 0.5) * size / larger - 0.5, 0), size - 1)
        weights[n] = [max(0, 1 - abs(place - other)) for other in range(size)]
    return weights


def one_by_one(images, changes, pad):
    """Change an image at a time, each step written out."""
    results = []
    for n, image in enumerate(images.numpy()):
        if changes.zoomed[n]:
            top, left = changes.zoom_top[n], changes.zoom_left[n]
            large = np.einsum("rh,hwc,sw->rsc", enlarging(HEIGHT), image, enlarging(WIDTH))
            image = np.rint(large).astype(np.uint8)[top : top + HEIGHT, left : left + WIDTH]
        padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
        window = padded[changes.top[n] : changes.top[n] + HEIGHT, changes.left[n] : changes.left[n] + WIDTH]
        window = window[:, ::-1] if changes.mirrored[n] else window
        if changes.exchange[n].any():
            single = (window.astype(int) @ changes.exchange[n] + 500) // 1000
            window = np.repeat(single[..., None], 3, axis=2).astype(np.uint8)
        result = normalise(torch.from_numpy(window.copy())[None])[0].numpy()
        if changes.mix[n].any():
            grey = np.einsum("c,chw->hw", changes.mix[n], result)
            result = np.repeat(((grey - grey.mean()) / (grey.std(ddof=1) + 1e-3))[None], 3, axis=0)
        top, left, bottom, right = changes.erased[n]
        for row in range(HEIGHT):
            for column in range(WIDTH):
                if top <= row + 0.5 < bottom and left <= column + 0.5 < right:
                    result[:, row, column] = 0
        results.append(result)
    return np.stack(results)


@pytest.mark.parametrize("seed", range(5))
def test_batch_is_changed_as_its_images_one_by_one(images, seed):
    changes = drawn(seed=seed, **EVERYTHING)
    batch = augmented(images, changes, EVERYTHING["pad"])
    np.testing.assert_allclose(batch.numpy(), one_by_one(images, changes, EVERYTHING["pad"]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("rows", [slice(0, 8), slice(8, 16), slice(3, 11), slice(15, 16), slice(4, 4)])
def test_part_of_a_batch_is_changed_as_in_the_whole(images, rows):
    changes = drawn(seed=3, **EVERYTHING)
    whole, part = (augmented(images[of], changes.part(of), EVERYTHING["pad"]) for of in (slice(None), rows))
    torch.testing.assert_close(part, whole[rows], rtol=0, atol=1e-6)


def test_draws_are_made_before_any_image_is_seen_and_are_those_of_the_generator_alone():
    first, same, other = (drawn(seed=seed, **EVERYTHING) for seed in (1, 1, 2))
    for item in fields(Changes):
        values = getattr(first, item.name)
        assert len(values) == 16
        assert np.array_equal(values, getattr(same, item.name))
        assert not np.array_equal(values, getattr(other, item.name))


def test_zoom_is_drawn_after_all_that_was_there_before_it():
    # Seen before there was a zoom; recipes without one have the same batches since.
    changes = drawn(3, 2, pad=3, flip=0.5, erase=1.0, **SIGNED_MIX)
    assert changes.top.tolist() == [5, 4, 3]
    assert changes.left.tolist() == [1, 2, 0]
    assert changes.mirrored.tolist() == [True, False, False]
    assert changes.mix[1] == pytest.approx([-2.32503077, -0.21879166, -1.24591095])
    assert changes.erased[2] == pytest.approx([13.3992741, 1.73205671, 16.69548663, 11.99515393])


@pytest.mark.parametrize(("visible", "infrared"), [(16, 0), (0, 16), (3, 13)])
def test_only_visible_images_have_weights_of_channels(visible, infrared):
    changes = drawn(visible + infrared, visible, channel_mix=1.0)
    assert changes.mix.any(axis=1).tolist() == [True] * visible + [False] * infrared


def test_crop_is_a_window_of_the_padded_image(images):
    pad = 3
    places = set()
    for image, found in zip(images, crop_and_flip(images, pad, drawn(pad=pad)), strict=True):
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
    found = crop_and_flip(images, 1, drawn(400, pad=1, height=4, width=4))
    assert len({tuple(image[:, :, 0].flatten().tolist()) for image in found}) == 9


def test_flip_of_one_mirrors_every_image(images):
    assert torch.equal(crop_and_flip(images, 0, drawn(flip=1.0)), images.flip(2))


def test_flip_of_a_half_mirrors_about_half():
    images = torch.zeros((1000, 2, 2, 3), dtype=torch.uint8)
    images[:, :, 0] = 1
    mirrored = crop_and_flip(images, 0, drawn(1000, flip=0.5))[:, 0, 1, 0].float().mean()
    assert 0.45 < mirrored < 0.55


def test_zoomed_ramp_is_nine_eighths_as_long():
    # Eight pixels become nine, whose centres lie at (16 n - 1) / 18 of the eight: 15/18, 31/18 and so on.
    ramp = (18 * torch.arange(8, dtype=torch.uint8)).view(1, 1, 8, 1).expand(200, 8, 8, 3)
    changes = drawn(200, height=8, width=8, zoom=1.0)
    found = dict(zip(changes.zoom_left.tolist(), zoom(ramp, changes), strict=True))
    places = [0, 15, 31, 47, 63, 79, 95, 111, 126]  # the outermost pixels are those of the image
    for left in (0, 1):
        assert torch.equal(found[left], torch.tensor(places[left : left + 8])[None, :, None].expand(8, 8, 3))


def test_zoom_is_a_window_at_every_place_of_the_enlarged_image(images):
    changes = drawn(400, zoom=1.0)
    pixels = images[:1].expand(400, -1, -1, -1)
    windows = {image.numpy().tobytes() for image in zoom(pixels, changes)}
    assert len(windows) == (27 - HEIGHT + 1) * (14 - WIDTH + 1)
    assert set(zip(changes.zoom_top.tolist(), changes.zoom_left.tolist(), strict=True)) == {
        (top, left) for top in range(4) for left in range(3)
    }


def test_zoom_of_a_half_touches_about_half_of_the_images_and_no_others():
    images = torch.from_numpy(rng(9).integers(0, 256, (400, 8, 8, 3), np.uint8))
    changes = drawn(400, height=8, width=8, zoom=0.5)
    zoomed = zoom(images, changes)
    assert (zoomed != images).flatten(1).any(dim=1).tolist() == changes.zoomed.tolist()
    assert 0.4 < changes.zoomed.mean() < 0.6
    assert zoomed.dtype == torch.uint8


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
    mixed = mix_channels(normalise(images), drawn(visible=16, **SIGNED_MIX))
    assert mixed.mean(dim=(1, 2, 3)).abs().max() < 1e-4
    assert mixed[:, 0].std(dim=(1, 2)).sub(1).abs().max() < 0.05


def test_only_signed_weights_turn_an_image_into_its_negative():
    ramp = torch.linspace(-1, 1, HEIGHT * WIDTH).view(1, 1, HEIGHT, WIDTH).repeat(64, 3, 1, 1)
    changes = {signed: drawn(64, 64, channel_mix=1.0, signed_mix=signed) for signed in (True, False)}
    rises = {signed: mix_channels(ramp.clone(), changes[signed])[:, 0, -1, -1] > 0 for signed in changes}
    assert rises[False].all()
    assert 8 < rises[True].sum() < 56


def test_image_of_one_colour_is_mixed_without_nan():
    changes = drawn(2, 2, **SIGNED_MIX)
    assert torch.isfinite(mix_channels(torch.full((2, 3, 4, 4), 0.3), changes)).all()


def test_erased_part_is_one_rectangle_of_the_mean_colour_of_bounded_area(images):
    batch = normalise(images) + 10  # no pixel is zero before
    shares = []
    for seed in range(20):
        for image in erase(batch.clone(), drawn(seed=seed, erase=1.0)):
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
    untouched = (erase(batch, drawn(600, erase=0.5)) == 1).flatten(1).all(dim=1).float().mean().item()
    assert 0.43 < untouched < 0.57


def test_exchange_shows_one_channel_or_the_luminance_of_visible_images_alone(images):
    changes = drawn(count=400, visible=300, channel_exchange=0.5)
    exchanged = changes.exchange.any(axis=1)
    assert not exchanged[300:].any()
    assert 0.4 < exchanged[:300].mean() < 0.6
    kinds, counts = np.unique(changes.exchange[exchanged], axis=0, return_counts=True)
    assert sorted(map(tuple, kinds)) == sorted([(1000, 0, 0), (0, 1000, 0), (0, 0, 1000), (299, 587, 114)])
    assert counts.min() > 0.15 * exchanged.sum()
    changes = drawn(channel_exchange=1.0)
    result = exchange_channels(images, changes)
    for image, parts, before in zip(result[:VISIBLE], changes.exchange, images, strict=False):
        exact = before.numpy() @ parts / 1000
        assert np.abs(image.numpy() - exact[..., None]).max() <= 0.5
    assert torch.equal(result[VISIBLE:], images[VISIBLE:])


def test_batches_are_changed_where_they_lie_and_nothing_waits_for_a_device():
    changes = draw_changes(VISIBLE, VISIBLE, HEIGHT, WIDTH, Augmentation(**EVERYTHING), rng())
    with FakeTensorMode():
        images = torch.empty(2 * VISIBLE, HEIGHT, WIDTH, 3, dtype=torch.uint8, device="cuda")
        batch = augmented(images, changes, EVERYTHING["pad"])
    assert (batch.device.type, batch.shape) == ("cuda", (2 * VISIBLE, 3, HEIGHT, WIDTH))
