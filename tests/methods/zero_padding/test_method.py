"""Deep zero-padding: what the network sees. CPU, seconds."""

import pytest
import torch

from vireid.data.augmentation import MEAN, STD, normalise
from vireid.data.records import Modality
from vireid.methods.zero_padding.method import zero_padded


def test_luminance_stands_in_the_channel_of_its_spectrum_and_nothing_in_the_others():
    pixels = torch.tensor([[200, 100, 50], [80, 80, 80]], dtype=torch.uint8).view(2, 1, 1, 3)
    padded = [zero_padded(normalise(pixels), modality)[modality, :, 0, 0] for modality in Modality]
    luminance = (0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255
    assert padded[0].tolist() == pytest.approx([(luminance - MEAN[0]) / STD[0], 0, 0], abs=1e-4)
    assert padded[1].tolist() == pytest.approx([0, (80 / 255 - MEAN[1]) / STD[1], 0], abs=1e-4)


def test_colours_of_one_luminance_look_alike():
    red, grey = torch.tensor([[100, 0, 0], [30, 30, 30]], dtype=torch.uint8).view(2, 1, 1, 1, 3)
    torch.testing.assert_close(
        *(zero_padded(normalise(colour), Modality.VISIBLE) for colour in (red, grey)), atol=0.02, rtol=0
    )
