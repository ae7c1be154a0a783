"""Grad-CAM: the library's maps against the formula written out, and why lengths are held. CPU, seconds."""

import numpy as np
import pytest
import torch
from torch import nn

from vireid.data.records import Modality
from vireid.explanation.grad_cam import Explainer, enlarged, grad_cam
from vireid.explanation.subjects import Subject
from vireid.params import DeviceSettings
from vireid.support.errors import UserError


@pytest.fixture(autouse=True)
def _leave_determinism_as_it_is():
    before = torch.are_deterministic_algorithms_enabled()
    yield
    torch.use_deterministic_algorithms(before)


@pytest.fixture(scope="module")
def explainer(model_folder):
    compute = DeviceSettings(device="cpu", precision="fp32", threads=1, workers=1)
    return Explainer(model_folder, "default", compute, None)


@pytest.fixture
def pair(explainer):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, *explainer.size, 3), dtype=np.uint8)
    return {of: Subject(picture, of, of.group) for of, picture in zip(Modality, pictures, strict=True)}


def test_map_of_a_network_worked_by_hand():
    """Two channels, x and -2x + 1; the score is the sum of 3 times the first and once the second.

    The mean gradients are 3 and 1, so the map is relu(3x - 2x + 1) = relu(x + 1).
    """
    layer = nn.Conv2d(1, 2, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, -2.0]).view(2, 1, 1, 1))
        layer.bias.copy_(torch.tensor([0.0, 1.0]))
    pixels = torch.tensor([[[[-3.0, -0.5], [0.0, 2.0]]]])
    found = grad_cam(layer, lambda images: layer(images).sum(dim=(2, 3)) @ torch.tensor([3.0, 1.0]), pixels)
    assert found.tolist() == [[[0.0, 0.5], [1.0, 3.0]]]


def slow_grad_cam(layer, score, pixels):
    """Write the formula out in loops, with a gradient that autograd keeps at the layer's output."""
    kept = []
    hook = layer.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    value = score(pixels)
    hook.remove()
    (gradient,) = torch.autograd.grad(value.sum(), kept)
    count, channels, height, width = kept[0].shape
    out = np.zeros((count, height, width))
    for b in range(count):
        weights = [gradient[b, c].sum().item() / (height * width) for c in range(channels)]
        for y in range(height):
            for x in range(width):
                out[b, y, x] = max(0, sum(weights[c] * kept[0][b, c, y, x].item() for c in range(channels)))
    return out


def test_maps_of_a_nonlinear_network_equal_the_formula_in_loops():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True))
    second = nn.Sequential(nn.Conv2d(4, 5, 3, stride=2), nn.Tanh())

    def score(images):
        return second(first(images)).square().sum(dim=(1, 2, 3))

    pixels = torch.randn(2, 3, 9, 7)
    for layer in (first, second):
        found = grad_cam(layer, score, pixels)
        assert found.shape[0] == 2
        assert found.max() > 0
        np.testing.assert_allclose(found, slow_grad_cam(layer, score, pixels), rtol=1e-4, atol=1e-6)


def test_layer_that_the_next_one_changes_in_place_is_explained_as_it_was():
    layer, after = nn.Conv2d(1, 1, 1), nn.ReLU(inplace=True)
    with torch.no_grad():
        layer.weight.fill_(1)
        layer.bias.fill_(-1)
    pixels = torch.tensor([[[[-1.0, 1.0, 3.0]]]])
    found = grad_cam(layer, lambda images: -after(layer(images)).sum(dim=(1, 2, 3)), pixels)
    # Outputs -2, 0, 2; the gradient is -1 behind the relu's open place and 0 elsewhere: a mean of -1/3.
    np.testing.assert_allclose(found, [[[2 / 3, 0, 0]]], rtol=1e-6)


def test_map_of_a_layer_that_the_score_does_not_depend_on_is_zero():
    """As of TFFN's stage4, which its trunk computes for an embedding of stage2 all the same."""
    layer, unused = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 4, 1, stride=2)

    def score(images):
        maps = layer(images)
        unused(maps)
        return maps.sum(dim=(1, 2, 3))

    assert grad_cam(unused, score, torch.ones(1, 3, 8, 4)).tolist() == np.zeros((1, 4, 2)).tolist()


def test_map_is_large_where_the_only_informative_pixels_are():
    layer = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
    pixels = torch.zeros(1, 3, 16, 8)
    pixels[0, 0, 4:6, 2:4] = 1  # what the score asks for
    pixels[0, 1, 10:12, 5:7] = 1  # what it does not
    heat = grad_cam(layer, lambda images: layer(images)[:, 0].mean(dim=(1, 2)), pixels)[0]
    assert (heat[4:6, 2:4] > 0).all()
    heat[4:6, 2:4] = 0
    assert (heat == 0).all()


def test_enlarged_map_keeps_its_place_and_its_size_is_the_pictures():
    heat = np.zeros((4, 2), np.float32)
    heat[3, 1] = 1
    large = enlarged(heat, (32, 16))
    assert large.shape == (32, 16)
    assert large[28:, 12:].min() > 0.5
    assert large[:16].max() == 0


def test_similarity_is_the_cosine_of_the_embeddings(explainer, pair):
    explained = explainer.explain(pair, ["stage4"], with_itself=False)
    vectors = []
    for of in Modality:
        pixels = torch.from_numpy(pair[of].image[None]).permute(0, 3, 1, 2) / 255
        mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
        with torch.no_grad():
            vectors += explainer.method.embed((pixels - mean) / std, of)["joint"]
    cosine = torch.nn.functional.cosine_similarity(*vectors, dim=0).item()
    for of in Modality:
        assert explained[of].similarity == pytest.approx(cosine, abs=1e-5)
        assert not explained[of].alone


def test_picture_compared_with_itself_has_a_map_though_its_cosine_cannot_grow(explainer, pair):
    explained = explainer.explain(pair, ["stage2", "stage4"], with_itself=True)
    for of in Modality:
        assert explained[of].alone
        assert explained[of].similarity == pytest.approx(1)
        assert explained[of].maps[1].max() > 1e-3
    single = explainer.explain({Modality.INFRARED: pair[Modality.INFRARED]}, ["stage2", "stage4"], False)
    for found, expected in zip(single[Modality.INFRARED].maps, explained[Modality.INFRARED].maps, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_map_behind_a_linear_head_sums_to_the_similarity(explainer, pair):
    """The embedding pool5 is the mean of stage4 over its places: the map is what each adds to the cosine."""
    chosen, explainer.embedding = explainer.embedding, "pool5"
    try:
        explained = explainer.explain(pair, ["stage4"], with_itself=False)
    finally:
        explainer.embedding = chosen
    for of in Modality:
        # Stage4 ends in a relu, so its means and the map's terms are positive, and the map's own relu is idle.
        assert explained[of].maps[0].sum() == pytest.approx(explained[of].similarity, rel=1e-4)


def test_map_depends_on_the_partner(explainer, pair):
    other = {**pair, Modality.VISIBLE: Subject(pair[Modality.VISIBLE].image[::-1].copy(), Modality.VISIBLE, "")}
    first, second = (explainer.explain(of, ["stage3"], False)[Modality.INFRARED].maps[0] for of in (pair, other))
    assert not np.allclose(first, second)


def test_embedding_that_is_not_finite_is_one_message(model_folder, pair):
    compute = DeviceSettings(device="cpu", precision="fp32", threads=1, workers=1)
    broken = Explainer(model_folder, "default", compute, None)
    with torch.no_grad():
        next(iter(broken.method.joint_head.parameters())).fill_(float("nan"))
    with pytest.raises(UserError, match="NaN or infinite"):
        broken.explain(pair, ["stage4"], False)


def test_maps_of_a_trunk_that_is_dead_are_zero(model_folder, pair):
    compute = DeviceSettings(device="cpu", precision="fp32", threads=1, workers=1)
    dead = Explainer(model_folder, "pool5", compute, None)
    with torch.no_grad():
        last_norm = dead.method.backbone.separate[0].stages[3].bn2
        last_norm.weight.zero_()
        last_norm.bias.fill_(-1e3)
    explained = dead.explain(pair, ["stage4"], False)
    for of in Modality:
        assert explained[of].similarity == 0
        assert (explained[of].maps[0] == 0).all()
