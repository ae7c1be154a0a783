"""What every method promises, over all presets and their schedules with a small trunk. CPU, seconds."""

from copy import deepcopy

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.made import ROOT, read_yaml, with_small_trunk
from vireid.methods import build_method

NUM_PIDS = 4
# The batch: identities 0..3, one visible and one infrared image each, in mixed order.
LABELS = torch.tensor([2, 0, 1, 3, 0, 2, 3, 1])
MODALITY = torch.tensor([0, 0, 1, 0, 1, 1, 1, 0])
SHRUNK = {"pyramid_width": 16, "joint_dims": [32], "fusion_dims": [16, 8]}
SHRUNK |= {"rest_lr_factor": 1.0}  # the trunk starts from scratch
PRESETS = {path.stem: read_yaml(path) for path in sorted((ROOT / "conf" / "method").glob("*.yaml"))}


def sections(name, schedule):
    recipe = PRESETS[name]["schedules"][schedule]
    return PRESETS[name]["method"], recipe["model"], recipe["loss"]


def small(name, schedule, backbone="resnet10_half"):
    """Arguments of `build_method`."""
    method, model, loss = sections(name, schedule)
    shrunk = {key: value for key, value in SHRUNK.items() if key in model}
    return method, NUM_PIDS, with_small_trunk(model | shrunk, backbone), loss


def different_cases():
    """Every preset with every schedule, but only the first of those that are the same once they are small."""
    found = {}
    for name, preset in PRESETS.items():
        for schedule in preset["schedules"]:
            if small(name, schedule) not in found.values():
                found[f"{name}-{schedule}"] = small(name, schedule)
    return found


CASES = different_cases() | {"baseline-resnet18": small("baseline", "demo", "resnet18")}


@pytest.fixture(params=CASES.values(), ids=CASES)
def method(request):
    torch.manual_seed(0)
    return build_method(*deepcopy(request.param))


@pytest.fixture(scope="module")
def images():
    return torch.randn(len(LABELS), 3, 32, 16, generator=torch.Generator().manual_seed(0))


def losses_of(method, images, labels=LABELS, modality=MODALITY):
    return method.losses(method(images, modality), labels, modality)


def total(method, losses):
    return sum(method.loss_weights[name] * loss for name, loss in losses.items())


def trained(method, images, steps, lr):
    """Losses over some steps on one batch."""
    optimizer = torch.optim.AdamW(method.param_groups(lr), lr, fused=True)
    course = []
    for _ in range(steps):
        loss = total(method, losses_of(method, images))
        course.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return course


def embed(method, images, modality=MODALITY):
    with torch.inference_mode():
        return method.eval().embed(images, modality)


def test_embeddings_have_the_promised_names_and_widths(method, images):
    for mode in (True, False):
        found = method.train(mode).embed(images, MODALITY)
        assert {name: tuple(values.shape) for name, values in found.items()} == {
            name: (len(images), width) for name, width in method.embedding_dims.items()
        }
        assert list(found) == list(method.embedding_dims)
        assert all(torch.isfinite(values).all() for values in found.values())


def test_losses_are_finite_scalars_with_the_keys_of_the_weights(method, images):
    losses = losses_of(method, images)
    assert losses.keys() == method.loss_weights.keys()
    for loss in losses.values():
        assert loss.shape == ()
        assert torch.isfinite(loss)
        assert loss.requires_grad


def test_every_trainable_parameter_gets_a_finite_gradient(method, images):
    total(method, losses_of(method, images)).backward()
    parameters = {name: p for name, p in method.named_parameters() if p.requires_grad}
    without = [name for name, p in parameters.items() if p.grad is None]
    assert without == []
    assert [name for name, p in parameters.items() if not torch.isfinite(p.grad).all()] == []


def test_every_trainable_parameter_is_in_exactly_one_group(method):
    groups = method.param_groups(0.25)
    listed = [id(p) for group in groups for p in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(p) for p in method.parameters() if p.requires_grad}
    assert all(group["lr"] > 0 for group in groups)
    half = method.param_groups(0.125)
    assert [group["lr"] for group in half] == pytest.approx([group["lr"] / 2 for group in groups])


def test_measures_are_shares_without_effect_on_the_losses(method, images):
    outputs = method(images, MODALITY)
    measures = method.measures(outputs, LABELS, MODALITY)
    assert measures
    assert all(value.shape == () and 0 <= value <= 1 for value in measures.values())
    assert measures.keys().isdisjoint(method.loss_weights)


def test_evaluated_embedding_does_not_depend_on_batch_mates(method, images):
    trained(method, images, 2, 1e-3)
    together = embed(method, images)
    for row in range(len(images)):
        alone = embed(method, images[row : row + 1], MODALITY[row : row + 1])
        for name, values in alone.items():
            assert torch.allclose(values[0], together[name][row], rtol=1e-3, atol=1e-4)
    assert any((together[name].std(dim=0) > 1e-3).any() for name in together)


def test_embedding_depends_on_the_modality(method, images):
    trained(method, images, 2, 1e-3)
    ranked = next(iter(method.embedding_dims))
    visible, infrared = (embed(method, images, torch.full_like(MODALITY, m))[ranked] for m in (0, 1))
    assert not torch.allclose(visible, infrared, atol=1e-3)


@pytest.mark.parametrize("modality", [0, 1])
def test_batch_of_one_modality_works(method, images, modality):
    modalities = torch.full_like(MODALITY, modality)
    losses = losses_of(method, images, modality=modalities)
    assert all(torch.isfinite(loss) for loss in losses.values())
    total(method, losses).backward()
    gradients = [p.grad for p in method.parameters() if p.grad is not None]
    assert any(gradient.any() for gradient in gradients)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())
    assert all(len(values) == len(images) for values in embed(method, images, modalities).values())


def test_losses_do_not_depend_on_the_order_of_rows(method, images):
    order = torch.tensor([5, 2, 7, 0, 1, 6, 4, 3])
    first = losses_of(method, images)
    second = losses_of(method, images[order], LABELS[order], MODALITY[order])
    for name in first:
        assert second[name].item() == pytest.approx(first[name].item(), rel=1e-3, abs=1e-4)


def test_saved_and_loaded_weights_give_the_same_embeddings(method, images, tmp_path):
    trained(method, images, 1, 1e-3)
    before = embed(method, images)
    save_file(method.state_dict(), tmp_path / "weights.safetensors")
    for parameter in method.state_dict().values():
        parameter.zero_()
    method.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    after = embed(method, images)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_every_parameter_and_buffer_is_finite_at_the_start(method):
    assert all(torch.isfinite(value).all() for value in method.state_dict().values())


def test_thirty_steps_on_one_batch_lower_the_loss_clearly(method, images):
    course = trained(method, images, 30, 1e-2)
    assert course[-1] < 0.6 * course[0]


def test_epoch_hook_can_be_called_at_any_epoch(method):
    method.on_epoch(0, [])
    terms = {f"loss/{name}": 1.0 for name in method.loss_weights}
    method.on_epoch(3, [{"loss/total": 1.0} | terms] * 3)


def test_same_seed_builds_the_same_method():
    _, model, loss = sections("fprnet", "demo")
    states = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        states.append(build_method("fprnet", NUM_PIDS, model, loss).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert any(not torch.equal(states[0][name], states[2][name]) for name in states[0])
