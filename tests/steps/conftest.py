"""A training on tiny images."""

import pytest

from tests.made import METHOD, tiny_params
from vireid.steps.train import train


@pytest.fixture
def trained(workplace, images_file, overlay_file, dataset):
    """Train in the workplace with tiny parameters and changes; results are the folders `model` and `curves`."""

    def start(method=METHOD, images=images_file, **changes):
        params = tiny_params(dataset, method, **changes)
        return train(params, images, overlay_file, workplace / "model", workplace / "curves")

    start.folder = workplace
    return start
